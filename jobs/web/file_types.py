"""The types of files that lists can be filtered by."""

from __future__ import annotations

# The label of the filter, the label of a file, and how the content types begin.
TYPES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "pdf": ("PDF", "PDF", ("application/pdf",)),
    "picture": ("Pictures", "Picture", ("image/",)),
    "table": (
        "Tables",
        "Table",
        (
            "text/csv",
            "application/vnd.ms-excel",
            "application/vnd.openxmlformats-officedocument.spreadsheetml",
            "application/vnd.oasis.opendocument.spreadsheet",
        ),
    ),
    "text": (
        "Text",
        "Text",
        ("text/plain", "text/html", "text/markdown", "application/json", "application/x-ndjson"),
    ),
    "sound": ("Sound", "Sound", ("audio/",)),
    "video": ("Video", "Video", ("video/",)),
    "archive": (
        "Archives",
        "Archive",
        (
            "application/zip",
            "application/x-zip",
            "application/x-tar",
            "application/gzip",
            "application/x-gzip",
            "application/x-bzip",
            "application/x-xz",
            "application/zstd",
            "application/x-7z",
            "application/vnd.rar",
            "application/x-rar",
        ),
    ),
}


def type_beginnings(name: str) -> tuple[str, ...]:
    """Return how the content types begin: of a name in TYPES, of `image/*` or of `image/png`."""
    return TYPES[name][2] if name in TYPES else (name.removesuffix("*"),)
