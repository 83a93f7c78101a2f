"""The type of a file, detected by its content."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from PIL import Image

from jobs.lib.filetypes import filetype_of
from tests.processing.hostile import gif_that_is_javascript, picture, valid_pdf, zipped

PDF = "application/pdf"


def saved(form: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (9, 9), (200, 30, 30)).save(file, form)
    return file.getvalue()


@pytest.mark.parametrize(
    "begins",
    [
        "BMI,age\n21,40\n",
        "BM is short for a month",
        "MZ, the initials of an author",
        "ID3 is a way to name a song",
        "ID;name\n1;Emma\n",
        "P1 is the bus to take",
        "P5 150 euros and more",
        "P6, then P7",
        "Rar! said the lion",
        "GIF89a is a format of pictures",
        "GIF87a,GIF89a\n",
        "%PDF is a mark",
        "%PDF-1.4 is how one begins, on page 3 of 7",
        "Look for %PDF-1.4 in the file",
        "OggS fLaC RIFF",
        "RIFF raff",
        "FORM of an answer",
        "OTTO Wagner",
        "MThd and others",
        "SQLite format 3 is described below",
        "8BPS, as Photoshop has it",
        "fLaC is lossless",
        "BZh91AY is how bzip2 begins",
        "DOS and Windows",
        "PK, a database's key",
        "From the beginning of a story",
        "The mdat box",
        "II* and MM* of TIFF",
        "ftyp is a box",
    ],
)
def test_prose_that_begins_like_a_signature_is_text(begins: str) -> None:
    text = f"{begins} and some more words.\n" * 3

    for content in (text.encode(), text.encode("utf-16"), b"\xef\xbb\xbf" + text.encode()):
        assert filetype_of(content, "notes.txt") == "text/plain"
        assert filetype_of(content, "table.csv") == "text/csv"
        assert filetype_of(content, "notes") == "text/plain"


@pytest.mark.parametrize(
    "begins",
    [
        "P1\n1\n2\n3",
        "P5\n10\n20\n30",
        "import duties rose",
        "import,export\n1,2",
        "record,name",
        "function,name",
        "graph of a function",
        "diff of both",
        "begin with this",
        "Index:1",
        "Summary: a good year",
        "Article 5 of the treaty",
        "Path: the one through the wood",
        "Only in summer",
        "Subject: the matter of this text",
        "From: here to there",
        "Forward to the board",
        "Pipe to the left",
        "(This figure is an estimate)",
        "# Config File of the service",
        "0123456789,name",
        "#define SIZE 8",
    ],
)
def test_a_word_like_a_signature_is_text(begins: str) -> None:
    content = f"{begins}\nand some more words.\n".encode()

    assert filetype_of(content, "notes.txt") == "text/plain"
    assert filetype_of(content, "table.csv") == "text/csv"


def test_text_in_a_single_byte_encoding_is_text() -> None:
    assert filetype_of("BMI;Größe\n21;1,80\n".encode("latin-1"), "a.csv") == "text/csv"
    assert filetype_of(bytes(range(128, 256)), "a.csv") == "application/octet-stream"


@pytest.mark.parametrize(
    "content",
    [
        "Имя,Возраст\r\nАнна,21\r\n".encode("cp1251"),
        "Имя;Возраст\r\nАнна;21\r\n".encode("koi8-r"),
        "名前,年齢\r\n花子,21\r\n".encode("shift-jis"),
        "姓名,年龄\r\n小红,21\r\n".encode("gbk"),
        "이름,나이\r\n영희,21\r\n".encode("euc-kr"),
        "Name,Age\r\nÄnne,21\r\n".encode("utf-32"),
        "Name,Age\r\nÄnne,21\r\n".encode("utf-16-le"),
        "Name,Age\r\nÄnne,21\r\n".encode("utf-16-be"),
        b"Name,Age\r\nEmma,21\r\n\x1a",
    ],
)
def test_a_table_is_text_in_any_encoding(content: bytes) -> None:
    assert filetype_of(content, "table.csv") == "text/csv"


@pytest.mark.parametrize(
    "content",
    [
        b"<svg\n xmlns='http://www.w3.org/2000/svg'/>",
        b"\xef\xbb\xbf<svg/>",
        b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<?xml version='1.0'?>\r\n<!-- Generator -->\r\n<!-- > --><svg:svg/>",
        b"<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'svg11.dtd' [<!ENTITY a 'b'>]>\n<svg />",
        b"<!-- a drawing -->\n<svg>",
    ],
)
def test_an_svg_is_detected_after_any_prolog(content: bytes) -> None:
    for name in ("a", "a.svg", "a.png"):
        assert filetype_of(content, name) == "image/svg+xml"


@pytest.mark.parametrize("begins", [b"<HTML>", b"\n\n<!DocType HTML>", b"<Script >", b"<BODY\n>"])
def test_html_is_detected_in_any_case(begins: bytes) -> None:
    assert filetype_of(begins + b"Hello", "a.txt") == "text/html"


@pytest.mark.parametrize(
    ("content", "name", "found"),
    [
        (b"<html><p>Hello", "a.txt", "text/html"),
        (b"<?xml version='1.0'?><a/>", "a", "application/xml"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.png", "image/svg+xml"),
        (b"{\\rtf1 Hello}", "a.doc", "application/rtf"),
        (b"%!PS-Adobe-3.0\n", "a", "application/postscript"),
        (b"#EXTM3U\n", "a.mp4", "application/vnd.apple.mpegurl"),
        (b'{"a": 1}\n{"a": 2}\n', "a.ndjson", "application/x-ndjson"),
        (b'{"a": 1}', "a.json", "application/json"),
        (b"P3\n# a comment\n1 1\n255\n0 0 0\n", "a", "image/x-portable-pixmap"),
        (b"", "a.txt", "text/plain"),
        (b"From: a@b.c\r\nTo: d@e.f\r\n\r\nHello", "a", "message/rfc822"),
        (b"Received: from a\n by b\nFrom: c@d.e\n\nHello", "a.txt", "message/rfc822"),
        (b"import os\n", "a.py", "text/x-python"),
        (b"#!/usr/bin/env python\n", "a", "text/x-python"),
        (b"strict digraph g {}\n", "a", "text/vnd.graphviz"),
        (b"#define a_width 8\n#define a_height 1\nstatic char a_bits[] =", "a", "image/x-xbitmap"),
        (b"#define FOO 8\nint x;\n", "a.h", "text/plain"),
    ],
)
def test_text_based_formats_are_detected(content: bytes, name: str, found: str) -> None:
    assert filetype_of(content, name) == found


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (saved("BMP"), "image/x-ms-bmp"),
        (saved("GIF"), "image/gif"),
        (gif_that_is_javascript(), "image/gif"),
        (saved("JPEG"), "image/jpeg"),
        (saved("PNG"), "image/png"),
        (saved("WEBP"), "image/webp"),
        (saved("TIFF"), "image/tiff"),
        (saved("PPM"), "image/x-portable-pixmap"),
        (b"ID3\x03\0\0\0\0\x07\x76TIT2" + bytes(99), "audio/mpeg"),
        (b"Rar!\x1a\x07\x01\0" + bytes(99), "application/vnd.rar"),
        (b"SQLite format 3\0\x10\0\x01\x01" + bytes(99), "application/x-sqlite3"),
        (b"PK\x03\x04" + bytes(99), "application/zip"),
        (b"\0\0\x01\xba!\0\x01\0\x01", "video/mpeg"),
        (b"\0\0\x01\xb3\x14\0\xf0\x13", "video/mpeg"),
        (b"\0\0\x01\xb0\x01\0\0\x01\xb5", "video/mpeg"),
        (b"\0\0\0\x01\x67\xf4\0\x0d", "video/mpeg"),
        ((b"G" + bytes(187)) * 3, "video/mp2t"),
        ((bytes(4) + b"G" + bytes(187)) * 3, "video/mp2t"),
        ((b"G" + bytes(203)) * 3, "video/mp2t"),
        (b"\xff" * 138 + (b"G" + b"\xff" * 187) * 10 + bytes(9), "video/mp2t"),
        (saved("JPEG2000"), "image/jp2"),
        (b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska\x42\x87\x81\2", "video/x-matroska"),
        (b"\x1a\x45\xdf\xa3\x8f\x42\x82\x84webm\x42\x87\x81\2", "video/webm"),
        (b"II+\0\x08\0\0\0" + bytes(20), "image/tiff"),
        (b"\x7fELF\2\1\1" + bytes(99), "application/octet-stream"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "application/x-ole-storage"),
        (b"\xff" * 20 + bytes(99), "application/octet-stream"),
    ],
)
def test_binary_formats_are_detected(content: bytes, found: str) -> None:
    assert filetype_of(content, "a") == found


@pytest.mark.parametrize(
    "content",
    [b"BM" + bytes(99), b"GIF89a\1\0\1\0\0\0\0" + b"what", b"ID3\xff" + bytes(99), b"P5\0" * 9],
)
def test_other_content_is_unknown(content: bytes) -> None:
    assert filetype_of(content, "a") == "application/octet-stream"


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"\xef\xbb\xbf",
        b"\r\n \n",
        b"MIME-Version: 1.0\r\nContent-Type: application/pdf\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n",
        b"\x1b%-12345X@PJL\r\n",
        b"\0" * 128,
        b"x" * 1000 + b"\n",
    ],
)
def test_a_pdf_begins_in_its_first_1024_bytes(before: bytes) -> None:
    assert filetype_of(before + valid_pdf(), "a.pdf") == PDF
    assert filetype_of(before + valid_pdf().replace(b"\n", b"\n%\xe2\xe3\xcf\xd3\n", 1), "a") == PDF


@pytest.mark.parametrize("begins", [b"%PDF-1.", b"%PDF-", b"%PDF-1,4", b"%PDF-a.b", b"%PDF-1"])
def test_a_pdf_with_an_odd_version_is_detected(begins: bytes) -> None:
    content = begins + valid_pdf()[len(b"%PDF-1.7") :]

    assert filetype_of(content, "a.pdf") == PDF
    assert filetype_of(content.replace(b"\n", b"\n%\xe2\0\xcf\xd3\n", 1), "a") == PDF


def test_a_pdf_that_begins_later_or_in_an_archive_is_not_a_pdf() -> None:
    assert filetype_of(b"\0" * 1100 + valid_pdf(), "a.pdf") != PDF
    assert filetype_of(zipped() + valid_pdf(), "a") == "application/zip"
    assert filetype_of(b"Such a file is:\n\n" + valid_pdf(), "about.md") == "text/markdown"


def boxes(major: bytes, *compatible: bytes) -> bytes:
    """Return a file type box as in ISO 14496-12, with data after it."""
    brands = major + bytes(4) + b"".join(compatible)
    return struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands + b"\0\0\0\x08mdatavif"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (picture("AVIF"), "image/avif"),
        (boxes(b"avif", b"mif1"), "image/avif"),
        (boxes(b"avis", b"msf1", b"miaf"), "image/avif"),
        (boxes(b"mif1", b"avif", b"miaf"), "image/avif"),
        (boxes(b"mif1", b"miaf", b"MA1B", b"avif"), "image/avif"),
        (boxes(b"miaf", b"avif"), "image/avif"),
        (boxes(b"msf1", b"avis"), "image/avif"),
        (boxes(b"MA1A", b"avif"), "image/avif"),
        (boxes(b"heic", b"mif1"), "image/heic"),
        (boxes(b"heix", b"mif1"), "image/heic"),
        (boxes(b"mif1", b"heic"), "image/heic"),
        (boxes(b"msf1", b"hevc"), "image/heic"),
        (boxes(b"mif1", b"miaf"), "image/heif"),
        (boxes(b"isom", b"avc1"), "video/mp4"),
        (boxes(b"iso6", b"dash"), "video/mp4"),
        (boxes(b"isom", b"avif"), "video/mp4"),
        (boxes(b"qt  "), "video/quicktime"),
        (boxes(b"M4A ", b"isom"), "audio/mp4"),
        (boxes(b"3gp4", b"isom"), "video/3gpp"),
        (boxes(b"3g2a", b"isom"), "video/3gpp2"),
        (boxes(b"crx ", b"isom"), "image/x-canon-cr3"),
    ],
)
def test_iso_media_are_detected_by_brand(content: bytes, found: str) -> None:
    for name in ("a", "a.avif", "a.mp4"):
        assert filetype_of(content, name) == found
