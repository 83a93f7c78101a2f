"""File names that are safe to show, to store and to unpack anywhere."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

MAX_NAME_BYTES = 180  # the shortest limit met is 255; this leaves room for " (123)" and a folder
MAX_SUFFIX_BYTES = 20  # a longer "suffix" is a sentence with a dot in it
# Every blank of Unicode, and the dot: at an end nobody sees them, and some systems drop them.
ENDS = "." + "".join(c for c in map(chr, range(0x3001)) if c.isspace())


def safe_name(name: str) -> str:
    """The last part of a path, without what could mislead a person or a file system.

    So nothing named by it climbs out of its folder. Never empty, at most 180 bytes of UTF-8.
    """
    # Categories C*: control, format (bidi overrides among them), surrogates, unassigned. They go
    # first, since one between a letter and its accent would keep the two apart.
    seen = "".join(c for c in name if not unicodedata.category(c).startswith("C"))
    base = unicodedata.normalize("NFC", seen).replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join("_" if c in '<>:"|?*' else c for c in base).strip(ENDS)
    path = PurePosixPath(shown or "file")
    suffix = path.suffix if len(path.suffix.encode()) <= MAX_SUFFIX_BYTES else ""
    stem = path.name.removesuffix(suffix).encode()[: MAX_NAME_BYTES - len(suffix.encode())]
    return (stem.decode(errors="ignore").rstrip() + suffix).rstrip(ENDS)
