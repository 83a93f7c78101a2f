"""Detect the media type of a file from its content. The name only decides between similar types.

A short signature alone is not enough: many texts begin with `BM` or `ID3`. Content that is text has
a text type, unless it has the signature of a text-based format. Binary content must also match its
format after the signature.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from mimetypes import MimeTypes

import puremagic

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

BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # WHATWG, MIME sniffing: binary data bytes
MOSTLY = 0.7  # share of ASCII in a text with a single-byte encoding
SOME = 0.05  # the same in another alphabet, if the name says that it is text
MARKS = {  # the longer ones first
    b"\xff\xfe\0\0": "utf-32-le",
    b"\0\0\xfe\xff": "utf-32-be",
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
}
END_OF_FILE = b"\x1a"  # of DOS
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

# What must follow a short signature

PDF = "application/pdf"
PDF_BEGINS = re.compile(rb"%PDF-\d\.\d")
PDF_MARK = b"%PDF-"  # also with an invalid version or none
PDF_BEGINS_A_LINE = re.compile(rb"(?:\A|[\r\n]|\xef\xbb\xbf)\s*%PDF-")
PDF_OBJECT = re.compile(rb"\d\s+\d+\s+obj\b|[\r\n]%%EOF")  # or the end of a file without objects
PDF_BYTES = 1024  # within which the header may begin
BMP = re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL)  # sizes of headers
ID3 = re.compile(rb"ID3[\x02-\x04][^\xff].[\x00-\x7f]{4}", re.DOTALL)
BLANK = rb"(?:\s|#[^\n]*\n)+"
PNM = re.compile(rb"P[1-6]%b\d+%b\d+\s" % (BLANK, BLANK))
PAM = re.compile(rb"P7\s*\n(?:#[^\n]*\n)*(?:WIDTH|HEIGHT|DEPTH|MAXVAL|TUPLTYPE) ")
# Packets of 188 bytes, of 192 with a time code before, or of 204 with parity after. A recording may
# begin in the middle of a packet.
TRANSPORT = re.compile(rb"(?:.{4})?G(?:(?:.{187}G){2}|(?:.{191}G){2}|(?:.{203}G){2})", re.DOTALL)
CUT_TRANSPORT = re.compile(
    rb".{0,203}?G(?:(?:.{187}G){7}|(?:.{191}G){7}|(?:.{203}G){7})", re.DOTALL
)
EBML = re.compile(rb"\x1a\x45\xdf\xa3.{,200}?\x42\x82[\x84\x88](webm|matroska)", re.DOTALL)
BIG_TIFF = b"II+\0\x08\0\0\0"
APP_IMAGE = re.compile(rb"\x7fELF.{4}AI", re.DOTALL)
COMMENT = rb"<!--(?:(?!-->).)*-->\s*"
DOCTYPE = rb"<!DOCTYPE\s+svg[^>\[]*(?:\[[^\]]*\]\s*)?>\s*"
PROLOG = rb"\s*(?:<\?xml[^>]*>\s*)?(?:%b|%b)*" % (COMMENT, DOCTYPE)
SVG = re.compile(rb"%b<(?:svg:)?svg[\s/>]" % PROLOG, re.DOTALL)
HTML = re.compile(rb"\s*<(?:!doctype\s+html|html|head|body|script)[\s>]", re.IGNORECASE)
XBM = re.compile(rb"#define[ \t]+\w*width[ \t]+\d+\s+#define[ \t]+\w*height[ \t]")
HEADER = rb"[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*"
MAIL = re.compile(rb"(?:N?#! ?rnews [^\n]*\n)?%b(?:%b|\r?\n)" % (HEADER, HEADER))
BINHEX = re.compile(rb"\(This file must be converted")
DESKTOP_ENTRY = re.compile(rb"(?:#[^\n]*\n|\s)*\[(?:KDE )?Desktop ")
VIDEO_OBJECTS = re.compile(rb"\x00\x00\x01[\xb0\xb5]")  # MPEG-4 Part 2
PARAMETER_SETS = re.compile(
    rb"\x00?\x00\x00\x01(?:[\x27\x47\x67]|\x40\x01|\x09.\x00?\x00\x00\x01[\x27\x47\x67])", re.DOTALL
)

# ISO 14496-12: the file type box has brands, the major one first

HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
AVIF_BRANDS = {b"avif", b"avis"}
OF_MANY_CODECS = {b"mif1", b"mif2", b"msf1", b"miaf", b"MiHB", b"MiHE", b"MA1A", b"MA1B", b"1pic"}
OF_SOUND = {b"M4A ", b"M4B ", b"M4P "}
JPEG_2000 = b"jP  \r\n\x87\n"  # ISO 15444-1: what is in the first box
OF_JPEG_2000 = {b"jpx ": "image/jpx", b"jpm ": "image/jpm", b"mjp2": "video/mj2"}
OF_ITS_OWN = {b"qt  ": "video/quicktime", b"crx ": "image/x-canon-cr3"}
OF_PHONES = {
    b"3g2": "video/3gpp2",
    b"3gp": "video/3gpp",
    b"3ge": "video/3gpp",
    b"3gr": "video/3gpp",
}
OF_VIDEO = re.compile(rb"iso[0-9a-m]|mp4[0-9]|avc[0-9]|hvc1|hev1|dash|cmf[a-z]|M4V.|f4v |XAVC|MSNV")


def type_of(head: bytes, name: str) -> str:
    """Return the media type of a file that begins with `head`."""
    head = head[:HEAD_BYTES]
    if found := _of_boxes(head) or _of_elements(head):
        return found
    is_text = _is_text(head, is_named_text=_is_named_text(name))
    if is_text and (found := _of_markup(head)):
        return found
    matches = [
        match for match in _signatures(head, name) if _is_believed(match, head, name, is_text)
    ]
    if _is_pdf(head, name, is_text, is_known=bool(matches)):
        return PDF
    if not matches:
        return _named_text(name) if is_text else _stream_of_video(head)
    for begin, container in CONTAINERS.items():
        if head.startswith(begin) and matches[0].confidence < AGREED:
            return container
    named = str(matches[0].mime_type).strip()
    return SAME.get(named, named)


def is_among(content_type: str, patterns: list[str]) -> bool:
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
    return is_among(named, list(STRUCTURES)) or (
        len(match.byte_match) > 2 or match.confidence == AGREED
    )


def _is_believed_of_text(match: puremagic.PureMagicWithConfidence, named: str, name: str) -> bool:
    if is_among(named, ["image/x-portable-*"]):
        return _named(name) not in PLAIN
    if not is_among(named, list(WRITTEN)):
        return False
    least = MANY_LETTERS if is_among(named, list(WORDS)) else FEW_LETTERS
    is_strong = len(match.byte_match) >= least or match.byte_match.startswith((b"<", b"#!"))
    return is_strong or match.confidence == AGREED


def _is_gif(head: bytes) -> bool:
    """Return whether a block follows the logical screen and its color table."""
    if len(head) < 13 or not BINARY.search(head):
        return False
    colours = 3 << ((head[10] & 7) + 1) if head[10] & 0x80 else 0
    return head[13 + colours : 14 + colours] in (b"", b"\x21", b"\x2c", b"\x3b")


def _matches(*patterns: re.Pattern[bytes]) -> Callable[[bytes], bool]:
    return lambda head: any(pattern.match(head) for pattern in patterns)


STRUCTURES: dict[str, Callable[[bytes], bool]] = {
    "image/x-ms-bmp": _matches(BMP),
    "image/bmp": _matches(BMP),
    "image/gif": _is_gif,
    "audio/mpeg": lambda head: not head.startswith(b"ID3") or bool(ID3.match(head)),
    "image/x-portable-*": _matches(PNM, PAM),
    "image/x-xbitmap": _matches(XBM),
    "message/*": _matches(MAIL),
    "application/x-iso9660-appimage": _matches(APP_IMAGE),
    "*/binhex": _matches(BINHEX),
    "application/x-desktop": _matches(DESKTOP_ENTRY),
}


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
    return not begin[: line.start()].strip() or not is_among(_named(name), ["text/*", "message/*"])


def _of_boxes(head: bytes) -> str:
    """Return the type of an ISO base media file; empty if it is none or its brand is unknown."""
    if head[4:12] == JPEG_2000:
        return OF_JPEG_2000.get(head[20:24], "image/jp2")
    if head[4:8] != b"ftyp":
        return ""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[place : place + 4] for place in range(16, end - 3, 4))]
    major = brands[0]
    if major in AVIF_BRANDS | HEIC_BRANDS | OF_MANY_CODECS:
        return next((_of_picture(each) for each in brands if _of_picture(each)), "image/heif")
    if major in OF_SOUND:
        return "audio/mp4"
    if found := OF_ITS_OWN.get(major) or OF_PHONES.get(major[:3]):
        return found
    return "video/mp4" if OF_VIDEO.fullmatch(major) else ""


def _of_picture(brand: bytes) -> str:
    if brand in AVIF_BRANDS:
        return "image/avif"
    return "image/heic" if brand in HEIC_BRANDS else ""


def _of_elements(head: bytes) -> str:
    """Return the type of a Matroska or WebM file (RFC 8794), from its document type."""
    if found := EBML.match(head):
        return "video/webm" if found[1] == b"webm" else "video/x-matroska"
    return "image/tiff" if head.startswith(BIG_TIFF) else ""


def _stream_of_video(head: bytes) -> str:
    """Return the type of a transport stream or of video without a container, else UNKNOWN."""
    if TRANSPORT.match(head) or CUT_TRANSPORT.match(head):
        return "video/mp2t"
    if VIDEO_OBJECTS.match(head) or PARAMETER_SETS.match(head):
        return "video/mpeg"
    return UNKNOWN


def _is_text(head: bytes, *, is_named_text: bool) -> bool:
    """Return whether it is text in Unicode, in mostly ASCII, or in the encoding of a region."""
    for mark, encoding in MARKS.items():
        if head.startswith(mark):
            return _decodes(head[len(mark) :], encoding)
    if is_named_text and b"\0" in head[:2]:
        return _decodes(head, "utf-16-le" if head[0] else "utf-16-be")
    head = head.removesuffix(END_OF_FILE)
    if BINARY.search(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # not the end, where a character may be cut
            least = SOME if is_named_text else MOSTLY
            return sum(byte < 0x80 for byte in head) >= least * len(head)
    return True


def _decodes(head: bytes, encoding: str) -> bool:
    text = head[: len(head) & ~3 or len(head)].decode(encoding, "replace")
    return "\ufffd" not in text[:-1] and not BINARY.search(text.encode(errors="replace"))


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
