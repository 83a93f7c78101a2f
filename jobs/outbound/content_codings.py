"""Content codings: whether a server compressed a file, or the file itself is compressed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

# The known content codings; other words in Content-Encoding are ignored. If the name or the type of
# the file implies the coding, the file itself is compressed.
PACKED_NAMES = {
    "gzip": {".gz", ".tgz", ".svgz"},
    "x-gzip": {".gz", ".tgz", ".svgz"},
    "compress": {".z"},
    "x-compress": {".z"},
    "deflate": set[str](),
    "br": {".br"},
    "zstd": {".zst", ".tzst"},
}
PACKED_TYPES = {
    "gzip": {"application/gzip", "application/x-gzip", "application/x-tgz"},
    "x-gzip": {"application/gzip", "application/x-gzip", "application/x-tgz"},
    "compress": {"application/x-compress"},
    "x-compress": {"application/x-compress"},
    "zstd": {"application/zstd", "application/x-zstd"},
}


def is_own_content_coding(encoding: str, *, names: Iterable[str], content_type: str) -> bool:
    """Return whether the Content-Encoding is that of the file itself, or none.

    `names` are those that the file may have.
    """
    codings = [each.partition(";")[0].strip() for each in encoding.lower().split(",")]
    packed = [each for each in codings if each in PACKED_NAMES]
    suffixes = {PurePosixPath(each).suffix.lower() for each in names}
    return len(packed) <= 1 and all(_is_implied(each, suffixes, content_type) for each in packed)


def _is_implied(coding: str, suffixes: set[str], content_type: str) -> bool:
    is_named = not suffixes.isdisjoint(PACKED_NAMES[coding])
    return is_named or content_type in PACKED_TYPES.get(coding, ())
