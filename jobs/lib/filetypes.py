"""Detect the media type of a file from its content. The name only decides between similar types.

A short signature alone is not enough: many texts begin with `BM` or `ID3`. Content that is text has
a text type, unless it has the signature of a text-based format. Binary content must also match its
format after the signature.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from mimetypes import MimeTypes

import puremagic

from jobs.lib.file_structures import STRUCTURES
from jobs.lib.iso_media import iso_media_type
from jobs.lib.text_detection import BINARY, detect_text
from jobs.lib.video_streams import video_stream_type

HEAD_BYTES = 64 * 1024  # of a file that are used; fewer if it is shorter
UNKNOWN = "application/octet-stream"
# Many formats are one of these, such as office documents. Their names decide.
CONTAINERS = {
    b"PK\x03\x04": "application/zip",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "application/x-ole-storage",
}
BY_NAME = 0.1  # the confidence of a match by name alone
AGREED = 0.9  # of a match by content and name
SAME = {  # synonyms
    "video/avi": "video/x-msvideo",
    "video/dvd": "video/mpeg",
    "application/x-matroska": "video/x-matroska",
    "audio/wave": "audio/wav",
}
TYPES = MimeTypes()  # Python's own list: that of the machine may differ
TYPES.add_type("text/markdown", ".md")
TYPES.add_type("application/x-ndjson", ".ndjson")
TYPES.add_type("application/x-ndjson", ".jsonl")
MORE_TEXT = {
    "application/json",
    "application/x-ndjson",
    "application/xml",
    "application/javascript",
    "image/svg+xml",
}

# Text, and text-based formats

WRITTEN = (
    "text/*", "message/*", "*+xml", "*/xml", "*/json", "*/javascript", "*/rtf", "*/postscript",
    "*/pgp-*", "*/x-sh*", "*/x-eps", "*/x-xpixmap", "*/x-xbitmap", "*mpegurl", "*yaml", "model/*",
    "*/binhex", "*/x-desktop", "*/x-scpls",
)  # fmt: skip
FEW_LETTERS = 5  # shorter signatures count only for markup, or if the name agrees
# Their signatures are words such as `import`, `record` or `Index:`, with which other texts may
# begin. They count only if they are long, or if the name agrees.
WORDS = (
    "text/x-*",
    "text/vnd.*",
    "text/ascii",
    "text/troff",
    "text/xmcd",
    "message/news",
    "model/*",
)
MANY_LETTERS = 12
PLAIN = ("text/plain", "text/csv", "text/tab-separated-values", "text/markdown")

# Formats whose first bytes decide

PDF = "application/pdf"
PDF_BEGINS = re.compile(rb"%PDF-\d\.\d")
PDF_MARK = b"%PDF-"  # also with an invalid version or none
PDF_BEGINS_A_LINE = re.compile(rb"(?:\A|[\r\n]|\xef\xbb\xbf)\s*%PDF-")
PDF_OBJECT = re.compile(rb"\d\s+\d+\s+obj\b|[\r\n]%%EOF")  # or the end of a file without objects
PDF_BYTES = 1024  # within which the header may begin
EBML = re.compile(rb"\x1a\x45\xdf\xa3.{,200}?\x42\x82[\x84\x88](webm|matroska)", re.DOTALL)
BIG_TIFF = b"II+\0\x08\0\0\0"
COMMENT = rb"<!--(?:(?!-->).)*-->\s*"
DOCTYPE = rb"<!DOCTYPE\s+svg[^>\[]*(?:\[[^\]]*\]\s*)?>\s*"
PROLOG = rb"\s*(?:<\?xml[^>]*>\s*)?(?:%b|%b)*" % (COMMENT, DOCTYPE)
SVG = re.compile(rb"%b<(?:svg:)?svg[\s/>]" % PROLOG, re.DOTALL)
HTML = re.compile(rb"\s*<(?:!doctype\s+html|html|head|body|script)[\s>]", re.IGNORECASE)


def filetype_of(head: bytes, name: str) -> str:
    """Return the media type of a file that begins with `head`."""
    head = head[:HEAD_BYTES]
    if found := iso_media_type(head) or _of_elements(head):
        return found
    is_text = detect_text(head, is_named_text=_is_named_text(name))
    if is_text and (found := _of_markup(head)):
        return found
    matches = [
        match for match in _signatures(head, name) if _is_believed(match, head, name, is_text)
    ]
    if _is_pdf(head, name, is_text, is_known=bool(matches)):
        return PDF
    if not matches:
        return _named_text(name) if is_text else video_stream_type(head) or UNKNOWN
    for begin, container in CONTAINERS.items():
        if head.startswith(begin) and matches[0].confidence < AGREED:
            return container
    named = str(matches[0].mime_type).strip()
    return SAME.get(named, named)


def filetype_matches(content_type: str, patterns: list[str]) -> bool:
    """Return whether the type matches a pattern, such as `image/*`."""
    return any(fnmatchcase(content_type, pattern.strip().lower()) for pattern in patterns)


def _signatures(head: bytes, name: str) -> list[puremagic.PureMagicWithConfidence]:
    """Return the matching signatures, the likeliest first."""
    try:
        found = puremagic.magic_string(head, name)
    except (puremagic.PureError, ValueError):
        return []
    return [match for match in found if match.mime_type and match.confidence > BY_NAME]


def _is_believed(
    match: puremagic.PureMagicWithConfidence, head: bytes, name: str, is_text: bool
) -> bool:
    named = str(match.mime_type).strip()
    if named == PDF:
        return False  # see _is_pdf
    for types, is_plausible in STRUCTURES.items():
        if fnmatchcase(named, types) and not is_plausible(head):
            return False
    if is_text:
        return _is_believed_of_text(match, named, name)
    if named.startswith("text/") and BINARY.search(head):
        return False
    return filetype_matches(named, list(STRUCTURES)) or (
        len(match.byte_match) > 2 or match.confidence == AGREED
    )


def _is_believed_of_text(match: puremagic.PureMagicWithConfidence, named: str, name: str) -> bool:
    if filetype_matches(named, ["image/x-portable-*"]):
        return _named(name) not in PLAIN
    if not filetype_matches(named, list(WRITTEN)):
        return False
    least = MANY_LETTERS if filetype_matches(named, list(WORDS)) else FEW_LETTERS
    is_strong = len(match.byte_match) >= least or match.byte_match.startswith((b"<", b"#!"))
    return is_strong or match.confidence == AGREED


def _is_pdf(head: bytes, name: str, is_text: bool, *, is_known: bool) -> bool:
    """Return whether a PDF header is in the first 1,024 bytes (PDF 1.7, H.3.4.1)."""
    begin = head[: PDF_BYTES + len(b"%PDF-1.7")]
    if not is_text:
        # Not a PDF inside of an archive.
        return begin.startswith(PDF_MARK) or (bool(PDF_BEGINS.search(begin)) and not is_known)
    # A text may mention PDF, and even quote a file.
    line = PDF_BEGINS_A_LINE.search(begin)
    if line is None or not PDF_OBJECT.search(head, line.end()):
        return False
    return not begin[: line.start()].strip() or not filetype_matches(
        _named(name), ["text/*", "message/*"]
    )


def _of_elements(head: bytes) -> str:
    """Return the type of a Matroska or WebM file (RFC 8794), from its document type."""
    if found := EBML.match(head):
        return "video/webm" if found[1] == b"webm" else "video/x-matroska"
    return "image/tiff" if head.startswith(BIG_TIFF) else ""


def _of_markup(head: bytes) -> str:
    """Return the type of a page or a drawing, whatever is before its first element."""
    text = head.removeprefix(b"\xef\xbb\xbf")
    if SVG.match(text):
        return "image/svg+xml"
    return "text/html" if HTML.match(text) else ""


def _named_text(name: str) -> str:
    """Return the text type of the name, or plain text."""
    return _named(name) if _is_named_text(name) else "text/plain"


def _is_named_text(name: str) -> bool:
    named = _named(name)
    return named.startswith("text/") or named in MORE_TEXT


def _named(name: str) -> str:
    return TYPES.guess_type(name)[0] or ""
