"""The text of a PDF, and a picture of its first page."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from unittest.mock import Mock

import pytest
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from jobs.kinds.upload.previews import PreviewLimits, PreviewResult
from jobs.kinds.upload.previews import pdfs as maker
from jobs.kinds.upload.previews.preview_result import Work
from tests.processing.conftest import Process
from tests.processing.hostile import (
    CATALOGUE,
    encrypted_pdf,
    filled_form,
    million_pages,
    page,
    pages_that_are_not,
    pdf,
    pdf_with_javascript,
    stream,
    valid_pdf,
    with_box,
)

PDF = "application/pdf"
WORDS = "A word of ours"


def text(result: PreviewResult) -> str:
    (made,) = [each for each in result.previews if each.role == "text"]
    assert made.content_type == "text/plain; charset=utf-8"
    return made.path.read_text()


def preview(result: PreviewResult) -> Image.Image:
    (made,) = [each for each in result.previews if each.role == "preview"]
    assert made.content_type == "image/jpeg"
    with Image.open(made.path, formats=["JPEG"]) as picture:
        picture.load()
    return picture


def test_the_text_of_all_pages_has_a_form_feed_between(make: Process, messages: list[str]) -> None:
    result = make(valid_pdf(pages=3), PDF)

    assert text(result).split("\f") == [WORDS] * 3
    assert result.facts == {"pages": 3}
    assert messages[-1] == "Reading page 3 of 3"


def test_the_preview_shows_the_first_page(make: Process) -> None:
    seen = preview(make(valid_pdf(), PDF))

    assert max(seen.size) == maker.PREVIEW
    assert abs(seen.width / seen.height - 612 / 792) < 0.01
    darkest, lightest = seen.convert("L").getextrema()
    assert darkest < 50  # type: ignore[operator]
    assert lightest == 255


def test_a_long_pdf_notes_how_many_pages_are_in_the_text(make: Process) -> None:
    result = make(million_pages(), PDF, max_pages=20)

    assert len(text(result).split("\f")) == 20
    assert result.facts == {"pages": 1_000_000, "textPages": 20}


def test_a_pdf_without_words_has_no_text_preview(make: Process) -> None:
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"
    blank = pdf(CATALOGUE, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page)

    result = make(blank, PDF)

    assert [each.role for each in result.previews] == ["preview"]


def test_a_pdf_with_an_owner_password_is_read(make: Process) -> None:
    result = make(encrypted_pdf(password=""), PDF)

    assert text(result) == WORDS


def test_scripts_are_not_run_and_not_in_the_text(make: Process) -> None:
    result = make(pdf_with_javascript(), PDF)

    assert text(result) == WORDS


def test_a_page_of_extreme_proportions_has_a_preview(make: Process) -> None:
    result = make(with_box(b"0 0 100000 1"), PDF)

    assert preview(result).size == (maker.PREVIEW, 1)


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5])
def test_a_pdf_with_an_incomplete_end_mark_is_read(cut: int, make: Process) -> None:
    result = make(valid_pdf().rstrip()[:-cut], PDF)

    assert text(result).split("\f") == [WORDS] * 3
    assert result.facts == {"pages": 3}


@pytest.mark.parametrize("end", [b"%EOF", b"%%eof", b"", b"\0" * 900, b"%%E0F\n", b"<html></html>"])
def test_a_pdf_with_another_end_mark_is_read(end: bytes, make: Process) -> None:
    result = make(valid_pdf().replace(b"%%EOF", end), PDF)

    assert result.facts == {"pages": 3}


def test_a_crop_box_outside_the_page_is_ignored(make: Process) -> None:
    content = valid_pdf().replace(b"/Resources", b"/CropBox [9000 9000 9001 9001] /Resources")

    result = make(content, PDF)

    seen = preview(result)
    assert abs(seen.width / seen.height - 612 / 792) < 0.01
    assert seen.convert("L").getextrema()[0] < 50  # type: ignore[operator]
    assert text(result).split("\f") == [WORDS] * 3


def test_text_without_a_drawable_first_page(
    make: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "a.pdf"
    source.write_bytes(valid_pdf())
    monkeypatch.setattr(maker.pypdfium2.PdfPage, "render", Mock(side_effect=ValueError))
    # It runs in this process, whose processor time has been counting for long.
    limits = PreviewLimits(cpu_seconds=10**6, wall_seconds=10**6)

    result = maker.make_pdf_previews(Work(source, PDF, tmp_path, limits, lambda message: None))

    assert text(result).split("\f") == [WORDS] * 3
    assert result.facts["skipped"] == "The first page of the PDF cannot be drawn."


def test_a_truncated_pdf_shows_its_beginning_and_notes_so(make: Process) -> None:
    whole = valid_pdf()

    result = make(whole[: whole.rindex(b"startxref")], PDF)

    assert text(result).split("\f") == [WORDS] * 3
    assert result.facts["skipped"] == "The PDF is incomplete."
    assert result.facts["skippedCode"] == "file_unreadable"


def test_unreadable_pages_do_not_affect_others(make: Process) -> None:
    result = make(pages_that_are_not(), PDF, max_pages=5)

    assert text(result) == WORDS + "\f" * 4
    assert max(preview(result).size) == maker.PREVIEW
    assert result.facts["skipped"] == "Page 2 of the PDF cannot be read."


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\r\n\n", b"MIME-Version: 1.0\r\n" * 45])
def test_bytes_before_the_header_are_skipped(before: bytes, make: Process) -> None:
    result = make(before + valid_pdf(), PDF)

    assert text(result).split("\f") == [WORDS] * 3


def form_with_appearances() -> bytes:
    """The field is black on white, as its text."""
    file = BytesIO()
    canvas = Canvas(file, pagesize=(612, 792))
    canvas.acroForm.textfield(
        value="WILHELMINA", x=72, y=600, width=328, height=40, fontSize=24, fillColor=None
    )
    canvas.showPage()
    canvas.save()
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        form_with_appearances(),
        filled_form(b"/FT /Tx /V (WILHELMINA)"),
        filled_form(b"/FT /Tx /V (WILHELMINA)", more=b"/NeedAppearances true"),
        filled_form(b"/FT /Tx /V (WILHELMINA) /DA (/F 24 Tf 0 g)"),
        filled_form(b"/FT /Ch /Ff 131072 /Opt [(Emma) (WILHELMINA)] /V (WILHELMINA)"),
    ],
    ids=["with appearances", "without", "which are needed", "with a font of its own", "a choice"],
)
def test_filled_form_fields_are_shown(content: bytes, make: Process) -> None:
    seen = preview(make(content, PDF)).convert("L")

    scale = maker.PREVIEW / 792
    left, top, right, bottom = (int(place * scale) for place in (76, 792 - 636, 396, 792 - 604))
    field = seen.crop((left, top, right, bottom))
    dark = sum(count for count, shade in field.getcolors(256) or [] if shade < 80)  # type: ignore[operator]
    assert 0.01 < dark / (field.width * field.height) < 0.5


@pytest.mark.slow
def test_extraction_stops_at_its_time_limit(make: Process) -> None:
    words = b"BT /F 9 Tf 9 9 Td %s ET" % (b"(A word of ours) Tj " * 60_000)
    tree = b"<< /Type /Pages /Kids [%s] /Count 900 >>" % (b"3 0 R " * 900)

    result = make(pdf(CATALOGUE, tree, page(), stream(words)), PDF, cpu_seconds=8)

    assert result.facts["pages"] == 900
    assert 0 < result.facts["textPages"] < 900
    assert {each.role for each in result.previews} == {"preview", "text"}
