"""The text of a PDF, and a picture of its first page. Imported only by the helper.

Uses PDFium, the reader of Chromium, built without JavaScript.
"""

from __future__ import annotations

import mmap
import re
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from jobs.errors import FileEncrypted, FileUnreadable
from jobs.kinds.upload.previews.preview_result import (
    CreatedPreview,
    PreviewLimits,
    PreviewResult,
    Work,
    skipped_preview,
)

PREVIEW = 1200  # pixels: small print can be read
DOTS_PER_POINT = 3
QUALITY = 82
MAX_TEXT_BYTES = 32 * 1024**2
TEXT_SHARE = 0.8  # of the time; then the text is cut, so that the previews so far are kept
# The position of the index, before the end marker, which some programs write incompletely.
INDEX = re.compile(rb"startxref\s+\d")
INDEX_BYTES = 2048  # searched from the end; Acrobat searches 1,024
LOCKED = {pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY}
# Control characters. Form feeds are only added between pages, by us.
NOT_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def make_pdf_previews(work: Work) -> PreviewResult:
    """Create `preview`, and `text` with form feeds between pages, if the PDF has text.

    `textPages` is set if the text has fewer pages than the PDF. Pages that cannot be read are
    skipped and noted. Raises FileEncrypted, FileUnreadable.
    """
    problems = [] if _has_end(work.source) else [FileUnreadable("The PDF is incomplete.")]
    with _opened(work.source) as document:
        pages = len(document)
        if not pages:
            raise FileUnreadable("The PDF has no pages.")
        preview = _preview(document, work, problems)
        text_pages, text = _text(document, work, problems)
    if not preview and not text:
        raise problems[-1]
    facts = {"pages": pages} if text_pages == pages else {"pages": pages, "textPages": text_pages}
    return PreviewResult(
        (*text, *preview), facts | (skipped_preview(problems[0]) if problems else {})
    )


def _has_end(source: Path) -> bool:
    """Return whether the PDF has its end: PDFium reads a truncated one without an error."""
    with source.open("rb") as file:
        if not source.stat().st_size:
            raise FileUnreadable("The file is empty.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.rfind(b"%%EOF") >= 0 or bool(INDEX.search(content[-INDEX_BYTES:]))


def _opened(source: Path) -> pypdfium2.PdfDocument:
    try:
        document = pypdfium2.PdfDocument(source)
    except pypdfium2.PdfiumError as error:
        if error.err_code in LOCKED:
            raise FileEncrypted("The PDF is protected by a password.") from error
        raise FileUnreadable("The PDF is damaged or incomplete.") from error
    with suppress(pypdfium2.PdfiumError):  # without its fields it is worth showing, too
        document.init_forms()
    return document


def _page(document: pypdfium2.PdfDocument, number: int) -> pypdfium2.PdfPage:
    """Return the page with this number, counted from 0."""
    try:
        page = document[number]
    except pypdfium2.PdfiumError as error:
        raise FileUnreadable(f"Page {number + 1:,} of the PDF cannot be read.") from error
    if not all(page.get_size()):  # its crop box is outside of its media box
        page.set_cropbox(*page.get_mediabox())
    return page


def _preview(
    document: pypdfium2.PdfDocument, work: Work, problems: list[FileUnreadable]
) -> tuple[CreatedPreview, ...]:
    """Return the preview, or nothing if the page cannot be read; then adds to `problems`."""
    work.say("Drawing the first page")
    try:
        picture = _drawn(_page(document, 0))
    except FileUnreadable as problem:
        problems.append(problem)
        return ()
    path = work.folder / "preview.jpg"
    picture.save(path, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return (CreatedPreview("preview", path, "image/jpeg"),)


def _drawn(page: pypdfium2.PdfPage) -> Image.Image:
    scale = min(PREVIEW / max(*page.get_size(), 1), DOTS_PER_POINT)
    try:
        # Slightly less: pypdfium2 rounds up, and the quotient is not exact.
        picture: Image.Image = page.render(scale=scale * (1 - 1e-9)).to_pil()
    except (pypdfium2.PdfiumError, ValueError) as error:
        raise FileUnreadable("The first page of the PDF cannot be drawn.") from error
    return picture


def _text(
    document: pypdfium2.PdfDocument, work: Work, problems: list[FileUnreadable]
) -> tuple[int, tuple[CreatedPreview, ...]]:
    """Return the number of pages read, and the text, if any."""
    path = work.folder / "text.txt"
    pages, size, is_blank = min(len(document), work.limits.max_pages), 0, True
    is_late = _clock(work.limits)
    with path.open("wb") as file:
        for number in range(pages):
            work.say(f"Reading page {number + 1:,} of {pages:,}")
            text = _text_of_page(document, number, problems)
            is_blank = is_blank and not text.strip()
            size += file.write((b"\f" if number else b"") + text.encode()[: MAX_TEXT_BYTES - size])
            if size >= MAX_TEXT_BYTES or is_late():
                pages = number + 1
                break
    if is_blank:
        return pages, ()
    return pages, (CreatedPreview("text", path, "text/plain; charset=utf-8"),)


def _clock(limits: PreviewLimits) -> Callable[[], bool]:
    """Return a function that returns True once most of the time is over."""
    ends = time.monotonic() + TEXT_SHARE * limits.wall_seconds - time.process_time()
    most = TEXT_SHARE * limits.cpu_seconds
    return lambda: time.process_time() > most or time.monotonic() > ends


def _text_of_page(
    document: pypdfium2.PdfDocument, number: int, problems: list[FileUnreadable]
) -> str:
    try:
        return _text_of(_page(document, number))
    except FileUnreadable as problem:
        problems.append(problem)
        return ""


def _text_of(page: pypdfium2.PdfPage) -> str:
    with closing(page), closing(page.get_textpage()) as found:
        text = found.get_text_bounded()
    return NOT_TEXT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
