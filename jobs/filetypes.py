"""What a file is, by what is in it. Its name only decides between types that look the same."""

from __future__ import annotations

from fnmatch import fnmatchcase
from mimetypes import MimeTypes

import puremagic

HEAD_BYTES = 64 * 1024  # of a file, that tell its type; fewer where it has no more
UNKNOWN = "application/octet-stream"
ZIP, ZIP_BEGINS = "application/zip", b"PK\x03\x04"  # many are one: an office's documents, programs
BY_NAME = 0.1  # the confidence of a match that nothing in the file speaks for
AGREED = 0.9  # of one that the name speaks for, too
SAME = {  # other names of a type
    "video/avi": "video/x-msvideo",
    "video/dvd": "video/mpeg",
    "application/x-matroska": "video/x-matroska",
    "audio/wave": "audio/wav",
}
TYPES = MimeTypes()  # those that Python knows; a machine's own would differ
MORE_TEXT = {"application/json", "application/xml", "application/javascript", "image/svg+xml"}


def type_of(head: bytes, name: str) -> str:
    """The media type of a file that begins with `head`."""
    head = head[:HEAD_BYTES]
    try:
        found = puremagic.magic_string(head, name)
    except (puremagic.PureError, ValueError):
        found = []
    matches = [match for match in found if match.mime_type and match.confidence > BY_NAME]
    if not matches:
        return _text(head, name)
    if head.startswith(ZIP_BEGINS) and matches[0].confidence < AGREED:
        return ZIP
    named = str(matches[0].mime_type)
    return SAME.get(named, named)


def is_among(content_type: str, patterns: list[str]) -> bool:
    """Whether one of the patterns, as in `image/*`, is true of it."""
    return any(fnmatchcase(content_type, pattern.strip().lower()) for pattern in patterns)


def _text(head: bytes, name: str) -> str:
    """Text has no mark of its own: what the name says, if that is text and this may be."""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # not the end, where a letter may be cut
            return UNKNOWN
    if b"\0" in head:
        return UNKNOWN
    named = TYPES.guess_type(name)[0] or ""
    return named if named.startswith("text/") or named in MORE_TEXT else "text/plain"
