"""The text of a PDF, and a picture of its first page. In the helper alone.

By PDFium, the reader of Chromium, built without JavaScript: one parser for both.
"""

from __future__ import annotations

import mmap
import re
from contextlib import closing
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium

from jobs.errors import FileEncrypted, FileUnreadable
from jobs.processing.outcome import Made, Outcome, Work

PREVIEW = 1200  # pixels: small print can be read
DOTS_PER_POINT = 3
QUALITY = 82
MAX_TEXT_BYTES = 32 * 1024**2
LOCKED = {pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY}
# Nothing that a terminal or an editor obeys; of the pages only we make form feeds.
NOT_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def make(work: Work) -> Outcome:
    """`text` has a form feed between pages; there is none of a PDF of mere pictures.

    `textPages` is told where it has fewer pages than the PDF. Raises FileEncrypted, FileUnreadable.
    """
    _check_end(work.source)
    with _opened(work.source) as document:
        pages = len(document)
        if not pages:
            raise FileUnreadable("There are no pages in the PDF.")
        preview = _preview(document, work)
        text_pages, text = _text(document, work)
    facts = {"pages": pages} if text_pages == pages else {"pages": pages, "textPages": text_pages}
    return Outcome((*text, preview), facts)


def _check_end(source: Path) -> None:
    """PDFium would make do with what there is of a PDF that breaks off, and nobody would know."""
    with source.open("rb") as file:
        if not source.stat().st_size:
            raise FileUnreadable("The file is empty.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content.rfind(b"%%EOF") < 0:
                raise FileUnreadable("The PDF breaks off before its end.")


def _opened(source: Path) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(source)
    except pypdfium2.PdfiumError as error:
        if error.err_code in LOCKED:
            raise FileEncrypted("The PDF can be read only with a password.") from error
        raise FileUnreadable("The PDF is broken, or breaks off.") from error


def _page(document: pypdfium2.PdfDocument, number: int) -> pypdfium2.PdfPage:
    """From 0, as everywhere but in what people read."""
    try:
        return document[number]
    except pypdfium2.PdfiumError as error:
        raise FileUnreadable(f"Page {number + 1} of the PDF cannot be read.") from error


def _preview(document: pypdfium2.PdfDocument, work: Work) -> Made:
    work.say("Drawing the first page")
    page = _page(document, 0)
    scale = min(PREVIEW / max(*page.get_size(), 1), DOTS_PER_POINT)
    # A hair less: PDFium's Python rounds up, and there is no such thing as an exact quotient.
    picture = page.render(scale=scale * (1 - 1e-9)).to_pil()
    path = work.folder / "preview.jpg"
    picture.save(path, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return Made("preview", path, "image/jpeg")


def _text(document: pypdfium2.PdfDocument, work: Work) -> tuple[int, tuple[Made, ...]]:
    """How many pages were read, and the text, if there is any."""
    path = work.folder / "text.txt"
    pages, size, is_blank = min(len(document), work.limits.max_pages), 0, True
    with path.open("wb") as file:
        for number in range(pages):
            work.say(f"Reading page {number + 1:,} of {pages:,}")
            text = _text_of(_page(document, number))
            is_blank = is_blank and not text.strip()
            size += file.write((b"\f" if number else b"") + text.encode()[: MAX_TEXT_BYTES - size])
            if size >= MAX_TEXT_BYTES:
                pages = number + 1
                break
    if is_blank:
        return pages, ()
    return pages, (Made("text", path, "text/plain; charset=utf-8"),)


def _text_of(page: pypdfium2.PdfPage) -> str:
    with closing(page), closing(page.get_textpage()) as found:
        text = found.get_text_bounded()
    return NOT_TEXT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
