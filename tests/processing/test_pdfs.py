"""The text of a PDF, and a picture of its first page."""

from __future__ import annotations

from PIL import Image

from jobs.processing import Outcome
from jobs.processing import pdfs as maker
from tests.processing.conftest import Process
from tests.processing.hostile import (
    CATALOGUE,
    encrypted_pdf,
    honest_pdf,
    million_pages,
    pdf,
    pdf_with_javascript,
    with_box,
)

PDF = "application/pdf"
WORDS = "A word of ours"


def text(outcome: Outcome) -> str:
    (made,) = [each for each in outcome.made if each.role == "text"]
    assert made.content_type == "text/plain; charset=utf-8"
    return made.path.read_text()


def preview(outcome: Outcome) -> Image.Image:
    (made,) = [each for each in outcome.made if each.role == "preview"]
    assert made.content_type == "image/jpeg"
    with Image.open(made.path, formats=["JPEG"]) as picture:
        picture.load()
    return picture


def test_the_text_of_all_pages_has_a_form_feed_between(make: Process, said: list[str]) -> None:
    outcome = make(honest_pdf(pages=3), PDF)

    assert text(outcome).split("\f") == [WORDS] * 3
    assert outcome.facts == {"pages": 3}
    assert said[-1] == "Reading page 3 of 3"


def test_the_preview_shows_the_first_page(make: Process) -> None:
    seen = preview(make(honest_pdf(), PDF))

    assert max(seen.size) == maker.PREVIEW
    assert abs(seen.width / seen.height - 612 / 792) < 0.01
    darkest, lightest = seen.convert("L").getextrema()
    assert darkest < 50  # type: ignore[operator]
    assert lightest == 255


def test_a_long_pdf_tells_how_much_of_it_is_in_the_text(make: Process) -> None:
    outcome = make(million_pages(), PDF, max_pages=20)

    assert len(text(outcome).split("\f")) == 20
    assert outcome.facts == {"pages": 1_000_000, "textPages": 20}


def test_a_pdf_of_no_words_has_no_text(make: Process) -> None:
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"
    blank = pdf(CATALOGUE, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page)

    outcome = make(blank, PDF)

    assert [each.role for each in outcome.made] == ["preview"]


def test_what_only_its_owner_may_change_can_be_read(make: Process) -> None:
    outcome = make(encrypted_pdf(password=""), PDF)

    assert text(outcome) == WORDS


def test_its_scripts_are_not_run_and_not_in_the_text(make: Process) -> None:
    outcome = make(pdf_with_javascript(), PDF)

    assert text(outcome) == WORDS


def test_the_longest_and_thinnest_page_has_a_preview(make: Process) -> None:
    outcome = make(with_box(b"0 0 100000 1"), PDF)

    assert preview(outcome).size == (maker.PREVIEW, 1)
