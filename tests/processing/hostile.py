"""Files made to crash, flood or deceive the code that reads them, by name, with their outcome.

They can be sent to anything that reads uploads: `HOSTILE[name].make()` returns the whole file.
"""

from __future__ import annotations

import random
import struct
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pypdf
from PIL import Image

from tests.processing.ffmpeg import film

MADE = "made"
UNREADABLE, ENCRYPTED = "file_unreadable", "file_encrypted"
TOO_LARGE, TOO_COMPLEX = "picture_too_large", "file_too_complex"
SCRIPT = b"<script>alert(1)</script>"
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Hostile:
    """`ends` is MADE, or the code of the error."""

    content_type: str
    make: Callable[[], bytes]
    ends: str

    @property
    def needs_ffmpeg(self) -> bool:
        return self.content_type.startswith("video/")


# Pictures


def picture(form: str, size: tuple[int, int] = (640, 480), **options: Any) -> bytes:
    """Return a valid picture that hardly compresses."""
    file = BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(file, form, **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def png(
    width: int, height: int, *more: bytes, colours: int = 2, pixels: bytes | None = None
) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0))
    if pixels is None:
        pixels = zlib.compress((b"\0" + b"\x7f" * 3 * width) * height)
    body = b"".join(more) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


def zeros(size_bytes: int) -> bytes:
    """Return zeros compressed by zlib to a thousandth. One megabyte is compressed and repeated."""
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(bytes(MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    check = (size_bytes % 65521) << 16 | 1
    return b"\x78\xda" + packed * (size_bytes // MEGABYTE) + b"\3\0" + struct.pack(">I", check)


def gif(width: int, height: int, *blocks: bytes) -> bytes:
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0)
    return b"GIF89a" + screen + b"\0\0\0\xff\xff\xff" + b"".join(blocks) + b"\x3b"


def gif_frame(width: int = 1, height: int = 1) -> bytes:
    return b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\x00"


def gif_that_is_javascript() -> bytes:
    comment = b"*/=1;alert(1)//"
    width = int.from_bytes(b"/*", "little")
    return gif(width, 4, b"\x21\xfe" + bytes([len(comment)]) + comment + b"\0", gif_frame())


def jpeg_with(marker: bytes, content: bytes) -> bytes:
    honest = picture("JPEG")
    return honest[:2] + marker + struct.pack(">H", len(content) + 2) + content + honest[2:]


def jpeg_that_says(width: int, height: int) -> bytes:
    honest = picture("JPEG")
    frame = honest.index(b"\xff\xc0")
    return honest[: frame + 5] + struct.pack(">HH", height, width) + honest[frame + 9 :]


def jpeg_of_many_scans() -> bytes:
    """Each scan has a few bytes, and makes the decoder go over all pixels again."""
    file = BytesIO()
    Image.new("L", (8000, 8000), 127).save(file, "JPEG", progressive=True)
    honest = file.getvalue()
    last = honest.rindex(b"\xff\xda")
    return honest[:last] + honest[last:-2] * 3_000 + honest[-2:]


def webp_that_says(side: int) -> bytes:
    canvas = (side - 1).to_bytes(3, "little") * 2
    extended = b"VP8X" + struct.pack("<II", 10, 0) + canvas
    honest = picture("WEBP")[12:]
    return (
        b"RIFF" + struct.pack("<I", 4 + len(extended) + len(honest)) + b"WEBP" + extended + honest
    )


def avif_that_says(side: int) -> bytes:
    honest = picture("AVIF")
    place = honest.index(b"ispe") + 8
    return honest[:place] + struct.pack(">II", side, side) + honest[place + 8 :]


def broken_exif() -> bytes:
    """Return a directory of 65,535 entries whose next directory is itself."""
    return jpeg_with(b"\xff\xe1", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\x03" * 900)


PICTURES = {
    "png-of-50000-by-50000": Hostile(
        "image/png", lambda: png(50_000, 50_000, pixels=zeros(MEGABYTE)), TOO_LARGE
    ),
    "png-that-is-short-of-pixels": Hostile(
        "image/png", lambda: png(9_000, 9_000, pixels=zlib.compress(b"\0")), UNREADABLE
    ),
    "png-with-more-than-its-pixels": Hostile(
        "image/png", lambda: png(1, 1, pixels=zeros(500 * MEGABYTE)), MADE
    ),
    "png-profile-bomb": Hostile(
        "image/png", lambda: png(9, 9, chunk(b"iCCP", b"x\0\0" + zeros(500 * MEGABYTE))), MADE
    ),
    "png-text-bomb": Hostile(
        "image/png", lambda: png(9, 9, chunk(b"zTXt", b"x\0\0" + zeros(500 * MEGABYTE))), MADE
    ),
    "png-of-many-texts": Hostile(
        "image/png", lambda: png(9, 9, chunk(b"tEXt", b"a\0b") * 100_000), MADE
    ),
    "png-broken-off": Hostile("image/png", lambda: picture("PNG")[:20_000], MADE),
    "jpeg-of-65000-by-65000": Hostile(
        "image/jpeg", lambda: jpeg_that_says(65_000, 65_000), TOO_LARGE
    ),
    "jpeg-broken-off": Hostile("image/jpeg", lambda: picture("JPEG")[:20_000], MADE),
    "jpeg-of-many-scans": Hostile("image/jpeg", jpeg_of_many_scans, TOO_COMPLEX),
    "jpeg-that-is-html": Hostile(
        "image/jpeg", lambda: jpeg_with(b"\xff\xfe", SCRIPT) + SCRIPT, MADE
    ),
    "jpeg-with-broken-exif": Hostile("image/jpeg", broken_exif, MADE),
    "jpeg-with-a-broken-profile": Hostile(
        "image/jpeg", lambda: jpeg_with(b"\xff\xe2", b"ICC_PROFILE\0\1\1" + SCRIPT * 20), MADE
    ),
    "gif-of-a-million-pictures": Hostile(
        "image/gif", lambda: gif(1, 1, gif_frame() * 1_000_000), MADE
    ),
    "gif-larger-than-it-says": Hostile(
        "image/gif", lambda: gif(1, 1, gif_frame(65_000, 65_000)), TOO_LARGE
    ),
    "gif-that-is-javascript": Hostile("image/gif", gif_that_is_javascript, MADE),
    "gif-broken-off": Hostile("image/gif", lambda: picture("GIF")[:20_000], MADE),
    "webp-of-16384-by-16384": Hostile("image/webp", lambda: webp_that_says(16_384), TOO_LARGE),
    "webp-of-8000-by-8000": Hostile("image/webp", lambda: webp_that_says(8_000), UNREADABLE),
    "webp-broken-off": Hostile("image/webp", lambda: picture("WEBP")[:20_000], UNREADABLE),
    "avif-of-30000-by-30000": Hostile("image/avif", lambda: avif_that_says(30_000), UNREADABLE),
    "avif-of-8000-by-8000": Hostile("image/avif", lambda: avif_that_says(8_000), TOO_LARGE),
    "avif-broken-off": Hostile("image/avif", lambda: picture("AVIF")[:20_000], UNREADABLE),
    "text-as-jpeg": Hostile("image/jpeg", lambda: b"Dear reader,\n" * 100, UNREADABLE),
    "script-as-png": Hostile("image/png", lambda: b"<svg>" + SCRIPT + b"</svg>", UNREADABLE),
    "png-as-jpeg": Hostile("image/jpeg", lambda: picture("PNG"), UNREADABLE),
    "tiff-as-webp": Hostile("image/webp", lambda: picture("TIFF"), UNREADABLE),
    "postscript-as-gif": Hostile("image/gif", lambda: b"%!PS-Adobe\n(x) run\n", UNREADABLE),
}

# PDFs


def pdf(*objects: bytes, after: bytes = b"") -> bytes:
    """Return a PDF of these objects, numbered from 1; the first is the catalogue."""
    file, places = bytearray(b"%PDF-1.7\n"), []
    for number, each in enumerate(objects, 1):
        places.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    begin, size = len(file), len(objects) + 1
    file += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    file += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, begin)
    return bytes(file) + after


def stream(content: bytes, more: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), more, content)


CATALOGUE = b"<< /Type /Catalog /Pages 2 0 R >>"
ONE_PAGE = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
FONT = b"<< /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
WORDS = stream(b"BT /F 24 Tf 72 700 Td (A word of ours) Tj ET")


def page(box: bytes = b"0 0 612 792", more: bytes = b"/Resources " + FONT) -> bytes:
    return b"<< /Type /Page /Parent 2 0 R /MediaBox [%s] /Contents 4 0 R %s >>" % (box, more)


def valid_pdf(pages: int = 3) -> bytes:
    kids = b" ".join([b"3 0 R"] * pages)
    tree = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, pages)
    return pdf(CATALOGUE, tree, page(), WORDS)


def written(writer: pypdf.PdfWriter) -> bytes:
    file = BytesIO()
    writer.write(file)
    return file.getvalue()


def encrypted_pdf(password: str = "secret") -> bytes:
    writer = pypdf.PdfWriter(BytesIO(valid_pdf(1)))
    writer.encrypt(user_password=password, owner_password="theirs", algorithm="AES-256")
    return written(writer)


def pdf_with_javascript() -> bytes:
    script = b"<< /S /JavaScript /JS (while \\(true\\) app.alert\\('again'\\);) >>"
    return pdf(CATALOGUE[:-2] + b"/OpenAction " + script + b">>", ONE_PAGE, page(), WORDS)


def million_pages() -> bytes:
    """Return a tree of three levels with a hundred branches each, which are all the same object."""
    level = b"<< /Type /Pages /Parent 2 0 R /Kids [%s] /Count %d >>"
    top = level.replace(b" /Parent 2 0 R", b"") % (b"5 0 R " * 100, 10**6)
    middle, low = level % (b"6 0 R " * 100, 10**4), level % (b"3 0 R " * 100, 100)
    return pdf(CATALOGUE, top, page(), WORDS, middle, low)


def million_real_pages() -> bytes:
    return valid_pdf(1_000_000)


def filled_form(fields: bytes, *, more: bytes = b"") -> bytes:
    """Return a page without text and a form field with a text but no appearance stream."""
    form = b"/AcroForm << /Fields [5 0 R] /DA (/F 24 Tf 0 g) /DR %s %s >>" % (FONT, more)
    shown = page(more=b"/Annots [5 0 R] /Resources " + FONT)
    field = b"<< /Type /Annot /Subtype /Widget /T (name) /Rect [72 600 400 640] %s >>" % fields
    return pdf(CATALOGUE[:-2] + form + b">>", ONE_PAGE, shown, stream(b""), field)


def pages_that_are_not() -> bytes:
    return pdf(CATALOGUE, ONE_PAGE.replace(b"Count 1", b"Count 1000000"), page(), WORDS)


def cyclic_tree() -> bytes:
    round_about = b"<< /Type /Pages /Parent 2 0 R /Kids [2 0 R 3 0 R] /Count 2 >>"
    return pdf(CATALOGUE, round_about.replace(b"[2", b"[3"), round_about)


def deep_tree(levels: int = 100_000) -> bytes:
    nodes = [
        b"<< /Type /Pages /Parent %d 0 R /Kids [%d 0 R] /Count 1 >>" % (number, number + 2)
        for number in range(1, levels)
    ]
    return pdf(CATALOGUE, *nodes, page(), WORDS)


def deep_arrays() -> bytes:
    return pdf(
        CATALOGUE[:-2] + b"/X " + b"[" * 500_000 + b"]" * 500_000 + b">>", ONE_PAGE, page(), WORDS
    )


def packed_twice(size_bytes: int) -> bytes:
    return stream(zlib.compress(zeros(size_bytes), 9), b"/Filter [/FlateDecode /FlateDecode]")


def object_stream_bomb() -> bytes:
    bomb = packed_twice(4096 * MEGABYTE).replace(b"/Filter", b"/Type /ObjStm /N 1 /First 4 /Filter")
    file = bytearray(pdf(CATALOGUE, ONE_PAGE, page(), bomb))
    begin = len(file)
    rows = b"\2\0\4\0" * 7  # each object, the pages too, is listed as part of that stream
    table = stream(rows, b"/Type /XRef /W [1 2 1] /Size 7 /Root 1 0 R /Prev 9")
    return bytes(file) + b"8 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (table, begin)


def billion_laughs() -> bytes:
    """Return a page that draws ten forms, which draw ten forms each, for nine levels."""
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 600 700] "
    levels = [
        stream(b"/X Do " * 10, form + b"/Resources << /XObject << /X %d 0 R >> >>" % (number + 1))
        for number in range(5, 14)
    ]
    last = stream(b"0 0 9 9 re f " * 10, form)
    resources = b"/Resources << /XObject << /X 5 0 R >> >>"
    return pdf(CATALOGUE, ONE_PAGE, page(more=resources), stream(b"/X Do"), *levels, last)


def picture_bomb() -> bytes:
    image = (
        b"/Subtype /Image /Width 60000 /Height 60000 /ColorSpace /DeviceRGB /BitsPerComponent 8 "
    )
    bomb = stream(zeros(200 * MEGABYTE), image + b"/Filter /FlateDecode")
    resources = b"/Resources << /XObject << /X 5 0 R >> >>"
    return pdf(CATALOGUE, ONE_PAGE, page(more=resources), stream(b"600 0 0 700 0 0 cm /X Do"), bomb)


def with_box(box: bytes) -> bytes:
    return pdf(CATALOGUE, ONE_PAGE, page(box), WORDS)


def zipped() -> bytes:
    """A reader of ZIP files starts at the end."""
    import zipfile

    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("evil.exe", "MZ")
    return file.getvalue()


PDFS = {
    "pdf-broken-off": Hostile("application/pdf", lambda: valid_pdf()[:-300], UNREADABLE),
    "pdf-broken-off-early": Hostile("application/pdf", lambda: valid_pdf()[:120], UNREADABLE),
    "pdf-with-a-password": Hostile("application/pdf", encrypted_pdf, ENCRYPTED),
    "pdf-of-a-million-pages": Hostile("application/pdf", million_real_pages, MADE),
    "pdf-of-one-page-a-million-times": Hostile("application/pdf", million_pages, MADE),
    "pdf-with-pages-that-are-not": Hostile("application/pdf", pages_that_are_not, MADE),
    "pdf-with-a-tree-that-is-a-ring": Hostile("application/pdf", cyclic_tree, UNREADABLE),
    "pdf-with-a-deep-tree": Hostile("application/pdf", deep_tree, UNREADABLE),
    "pdf-with-deep-arrays": Hostile("application/pdf", deep_arrays, MADE),
    "pdf-of-a-kilometre": Hostile("application/pdf", lambda: with_box(b"0 0 1e9 1e9"), MADE),
    "pdf-of-a-thread": Hostile("application/pdf", lambda: with_box(b"0 0 1000000000 1"), MADE),
    "pdf-of-nothing": Hostile("application/pdf", lambda: with_box(b"0 0 0 0"), MADE),
    "pdf-of-less-than-nothing": Hostile(
        "application/pdf", lambda: with_box(b"9 9 -9e30 nan"), MADE
    ),
    "pdf-contents-bomb": Hostile(
        "application/pdf",
        lambda: pdf(CATALOGUE, ONE_PAGE, page(), packed_twice(4096 * MEGABYTE)),
        TOO_COMPLEX,
    ),
    "pdf-object-bomb": Hostile("application/pdf", object_stream_bomb, TOO_COMPLEX),
    "pdf-picture-bomb": Hostile("application/pdf", picture_bomb, MADE),
    "pdf-of-many-laughs": Hostile("application/pdf", billion_laughs, TOO_COMPLEX),
    "pdf-with-javascript": Hostile("application/pdf", pdf_with_javascript, MADE),
    "pdf-that-is-a-zip": Hostile("application/pdf", lambda: valid_pdf() + zipped(), MADE),
    "text-as-pdf": Hostile(
        "application/pdf", lambda: b"%PDF-1.7\nDear reader\n%%EOF\n", UNREADABLE
    ),
}

# Videos


def video(name: str = "film.mp4", *options: str, **more: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return film(Path(folder) / name, *options, **more).read_bytes()


def playlist() -> bytes:
    return b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"


def concat_list() -> bytes:
    return b"ffconcat version 1.0\nfile /etc/passwd\n"


def mp4_that_lasts() -> bytes:
    """Return a video that claims to last 272 years, in its header, track and media."""
    file = bytearray(video("film.mp4", "-an"))
    for kind, clock, length in ((b"mvhd", 12, 16), (b"tkhd", None, 20), (b"mdhd", 12, 16)):
        place = file.index(kind) + 4
        if clock:
            file[place + clock : place + clock + 4] = struct.pack(">I", 1)
        file[place + length : place + length + 4] = struct.pack(">I", 2**32 - 2)
    return bytes(file)


def avi_that_says(side: int) -> bytes:
    file = bytearray(video("film.avi", "-an", "-c:v", "mjpeg"))
    place = file.index(b"strf") + 12
    file[place : place + 8] = struct.pack("<ii", side, side)
    return bytes(file)


def raw_avi_that_says(side: int) -> bytes:
    file = bytearray(
        video("film.avi", "-an", "-c:v", "rawvideo", "-pix_fmt", "bgr24", seconds=0.04)
    )
    place = file.index(b"strf") + 12
    file[place : place + 8] = struct.pack("<ii", side, side)
    return bytes(file)


VIDEOS = {
    "playlist-as-mp4": Hostile("video/mp4", playlist, UNREADABLE),
    "playlist-as-webm": Hostile("video/webm", playlist, UNREADABLE),
    "playlist-as-mpeg": Hostile("video/mpeg", playlist, UNREADABLE),
    "playlist-as-mp2t": Hostile("video/mp2t", playlist, UNREADABLE),
    "concat-list-as-avi": Hostile("video/x-msvideo", concat_list, UNREADABLE),
    "mp4-broken-off": Hostile("video/mp4", lambda: video()[:9_000], UNREADABLE),
    "mp4-of-272-years": Hostile("video/mp4", mp4_that_lasts, MADE),
    "avi-of-60000-by-60000": Hostile("video/x-msvideo", lambda: avi_that_says(60_000), MADE),
    "raw-avi-of-16000-by-16000": Hostile(
        "video/x-msvideo", lambda: raw_avi_that_says(16_000), TOO_LARGE
    ),
    "webm-as-mp4": Hostile("video/mp4", lambda: video("film.mkv"), MADE),
}

# Of any type

TYPES = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "application/pdf"]
TYPES += ["video/mp4", "video/webm", "video/x-msvideo", "video/mpeg"]
NOISE = random.Random(7).randbytes(100_000)
ANY = {f"nothing-as-{each}": Hostile(each, bytes, UNREADABLE) for each in TYPES}
ANY |= {f"noise-as-{each}": Hostile(each, lambda: NOISE, UNREADABLE) for each in TYPES}

HOSTILE: dict[str, Hostile] = PICTURES | PDFS | VIDEOS | ANY
