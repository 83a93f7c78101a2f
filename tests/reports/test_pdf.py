"""The PDF, read back by two readers."""

from __future__ import annotations

import io
import re
from collections import Counter
from datetime import date, timedelta
from functools import cache
from itertools import pairwise

import pypdfium2
import pytest
from pypdf import PdfReader

from jobs.kinds.report.document import Row
from jobs.kinds.report.document.all_rows import pages_of
from jobs.kinds.report.document.charts import AXIS, LETTERS, Bar, Bars, outcomes_chart
from jobs.kinds.report.document.figures import Outcome, Tally
from jobs.kinds.report.document.fonts import line
from jobs.kinds.report.document.page import LEFT, Sheets
from tests.reports import made_up
from tests.reports.desk import FIRST, LAST, NOON, made, params, row


def pages(pdf: bytes) -> list[str]:
    with pypdfium2.PdfDocument(pdf) as document:
        return [page.get_textpage().get_text_bounded() for page in document]


def titles(pdf: bytes) -> list[str]:
    return [entry.title for entry in PdfReader(io.BytesIO(pdf)).outline if hasattr(entry, "title")]


@cache
def busy() -> bytes:
    return made(made_up.rows(1_200, FIRST, LAST), owner="")


def test_it_is_known_by_title_author_language_and_date() -> None:
    reader = PdfReader(io.BytesIO(busy()))

    assert reader.metadata
    assert reader.metadata.title == "Activity of everybody"
    assert reader.metadata.author == "Downloads"
    assert reader.metadata.creation_date_raw == "D:20261123000500Z"
    assert reader.trailer["/Root"]["/Lang"] == "en"
    assert reader.trailer["/Root"]["/ViewerPreferences"]["/DisplayDocTitle"] == True  # noqa: E712


def test_every_page_says_what_it_is_of_and_which_it_is() -> None:
    read = pages(busy())

    for number, text in enumerate(read, 1):
        assert "Activity of everybody" in text
        assert "24 October to 22 November 2026" in text
        assert "Made 23 November 2026 at 00:05 UTC" in text
        assert f"Page {number} of {len(read)}" in text


def test_the_sections_are_in_the_outline_in_order() -> None:
    assert titles(busy()) == [
        "Summary",
        "Downloads per day",
        "Bytes per day",
        "By kind and status",
        "Waiting",
        "Running",
        "Failures",
        "Largest files",
        "All downloads",
    ]


def test_the_days_of_the_table_are_below_it_in_the_outline() -> None:
    outline = PdfReader(io.BytesIO(busy())).outline

    days = [entry["/Title"] for entry in outline[-1]]

    assert (days[0], days[-1]) == ("22 November 2026", "24 October 2026")
    assert len(days) == 30


def test_every_job_is_in_the_table_once() -> None:
    rows = [row(f"file-{number:04d}.bin", size_bytes=None) for number in range(500)]

    text = "\n".join(pages(made(rows)))

    assert all(text.count(each.name) == 1 for each in rows)


def test_the_heads_of_the_columns_are_on_every_page_of_the_table() -> None:
    read = pages(made([row(size_bytes=None)] * 300))

    assert len(read) > 4
    for text in read[2:]:
        assert "Asked for" in text
        assert "20 November 2026" in text
        assert "continued" in text


def test_figures_and_reasons_are_in_words() -> None:
    rows = [
        row(size_bytes=1_500_000, waited_seconds=1.0),
        row(size_bytes=None, waited_seconds=3.0, status="failed", error_code="infected"),
    ]

    text = "\n".join(pages(made(rows)))

    assert "2 downloads asked for: 1 completed, 1 failed." in text
    assert "50%" in text
    assert "1.5 MB" in text
    assert "2.0 s" in text  # the median
    assert "A virus was found in the file." in text
    assert "Failed: infected" in text


def test_owners_are_shown_where_everybody_is() -> None:
    rows = [row(owner="boris"), row(owner="chiara")]

    shown, hidden = ("\n".join(pages(made(rows, owner=owner))) for owner in ("", "ana"))

    assert "by 2 users" in shown
    assert "boris" in shown
    assert "boris" not in hidden
    assert "Owner" not in hidden


def test_of_nothing_there_is_a_sentence_and_no_chart() -> None:
    pdf = made([])

    (text,) = pages(pdf)
    assert "Nothing was asked for in this period." in text
    assert "Page 1 of 1" in text
    assert titles(pdf) == ["Summary"]


def test_one_job_without_a_file_makes_a_short_report() -> None:
    waiting = row(
        status="queued", size_bytes=None, waited_seconds=None, ran_seconds=None, finished_at=None
    )

    pdf = made([waiting])

    assert "1 download asked for: 1 still going." in pages(pdf)[0]
    assert titles(pdf) == ["Summary", "Downloads per day", "By kind and status", "All downloads"]
    assert len(pages(pdf)) == 1


@pytest.mark.parametrize(
    ("first", "unit"),
    [
        (LAST, "hour"),
        (LAST - timedelta(1), "day"),
        (LAST - timedelta(91), "day"),
        (LAST - timedelta(92), "week"),
        (LAST - timedelta(365), "week"),
    ],
)
def test_a_bar_stands_for_longer_in_a_longer_period(first: date, unit: str) -> None:
    pdf = made(made_up.rows(400, first, LAST), first_day=first)

    assert f"Downloads per {unit}" in titles(pdf)


def test_rows_from_outside_the_period_leave_no_chart_to_draw() -> None:
    rows = [row(created_at=NOON - timedelta(999))]

    assert "Downloads per day" not in titles(made(rows))


def test_more_and_fewer_rows_than_were_counted_are_all_there() -> None:
    rows = [row(f"file-{number:03d}", size_bytes=None) for number in range(60)]

    for count in (0, 10, 5_000):
        text = "\n".join(pages(made(rows, count=count)))
        assert "60 downloads asked for" in text
        assert all(each.name in text for each in rows)


def test_many_codes_kinds_and_days_out_of_order_find_room() -> None:
    codes = [
        row(kind=f"kind{at % 9}", status="failed", error_code=f"code_{at:02d}") for at in range(60)
    ]
    days = [row(created_at=NOON - timedelta(at * 7 % 20)) for at in range(200)]

    text = "\n".join(pages(made([*codes, *days])))

    assert "35 others" in text
    assert "No reason was recorded." in text


def test_days_out_of_order_are_in_the_outline_once() -> None:
    rows = [row(size_bytes=None, created_at=NOON - timedelta(at % 2)) for at in range(50)]

    outline = PdfReader(io.BytesIO(made(rows))).outline

    assert [entry["/Title"] for entry in outline[-1]] == ["20 November 2026", "19 November 2026"]


def test_the_same_rows_make_the_same_bytes() -> None:
    assert made(made_up.rows(100, FIRST, LAST)) == made(made_up.rows(100, FIRST, LAST))


def test_nothing_outside_the_document_is_referred_to() -> None:
    pdf = busy()

    for key in (b"/URI", b"/JavaScript", b"/Launch", b"/EmbeddedFile", b"/OpenAction"):
        assert key not in pdf


@pytest.mark.parametrize("first_room", [100.0, 732.0])
def test_each_row_is_on_one_page_and_no_heading_stands_alone(first_room: float) -> None:
    runs = [(LAST - timedelta(at), 1 + at * 13 % 150) for at in range(200)]

    parts = [part for page in pages_of(runs, first_room=first_room) for part in page]

    assert sum(part.count for part in parts) == sum(count for _, count in runs)
    assert all(part.count > 0 for part in parts)
    assert sum(not part.continued for part in parts) == len(runs)


def test_a_row_that_is_tried_again_shows_why() -> None:
    waiting = row(status="queued", error_code="remote_unavailable")

    assert "Queued: remote_unavailable" in "\n".join(pages(made([waiting])))


def rows_of(*names: str) -> list[Row]:
    return [row(name, size_bytes=None) for name in names]


HOSTILE = [
    "<b>bold</b> & <script>alert(1)</script>",
    "(parens) \\back\\slash) ((",
    "%PDF-1.4 endstream endobj",
    "ET Q BT (x) Tj",
    "&lt;para&gt; &#x41;",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_drawn_as_it_is_and_never_interpreted(name: str) -> None:
    assert name in "\n".join(pages(made(rows_of(name))))


SCRIPTS = [
    "Größe – “naïve”.pdf",
    "Отчёт за ноябрь.pdf",
    "Έκθεση Νοεμβρίου.docx",
    "年度报告.pdf",
    "報告書ひらがな.pdf",
    "한국어 보고서.hwp",
    "საქართველო.txt",
    "รายงานประจำปี.pdf",
]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_name_in_any_script_can_be_copied(name: str) -> None:
    assert name in "\n".join(pages(made(rows_of(name), owner="анна")))


@pytest.mark.parametrize("name", ["تقرير نوفمبر 2026.pdf", "דוח שנתי (טיוטה).pdf", "سلام"])
def test_words_that_run_from_right_to_left_can_be_found(name: str) -> None:
    """Of several, PDFium tells the last first."""
    text = "\n".join(pages(made(rows_of(name))))

    assert all(word in text for word in re.findall(r"\w+", name))


@pytest.mark.parametrize("name", ["क्षत्रिय हिन्दी.pdf", "ที่ น้ำ.pdf", "தமிழ் அறிக்கை.pdf"])
def test_a_name_in_letters_that_join_or_are_missing_can_be_copied(name: str) -> None:
    assert name in "\n".join(pages(made(rows_of(name))))


NOTE = "is what this report has no font for. The report as CSV has every name."


def test_a_page_with_a_name_that_cannot_be_drawn_says_so_and_others_do_not() -> None:
    rows = [*rows_of("தமிழ்.pdf"), *rows_of(*["plain – Ж 報告.zip"] * 200)]

    shown = [NOTE in text for text in pages(made(rows))]

    assert shown.count(True) == 1
    assert NOTE not in "".join(pages(made(rows_of("plain.zip", "\x00", "\ufffd"))))


def numbers_over_bars(failed: list[int]) -> list[tuple[float, float]]:
    """From where to where each of them reaches, left to right."""
    sheets = Sheets(params([]), pages=1)
    sheets.begin()
    tallies = [Tally(Counter({Outcome.FAILED: count})) for count in failed]
    bars = [Bar(f"{number}", tally) for number, tally in enumerate(tallies)]
    outcomes_chart(sheets, 600, 146, Bars("day", (1, 2, 7, 14), bars))
    found = []

    def see(text: str, _: object, at: list[float], *font: object) -> None:
        if re.fullmatch(r"[\d,.]+[kM]?", text.strip()) and at[4] > LEFT + AXIS and at[5] > 460:
            found.append((at[4], at[4] + line(text.strip()).width * LETTERS))

    PdfReader(io.BytesIO(sheets.close())).pages[0].extract_text(visitor_text=see)
    return sorted(found)


@pytest.mark.parametrize(
    ("days", "most", "least_shown"),
    [(30, 9, 30), (30, 999, 30), (30, 1_400, 30), (30, 14_000, 30), (60, 1_400, 20), (70, 99, 30)],
)
def test_numbers_over_bars_never_touch_each_other(days: int, most: int, least_shown: int) -> None:
    told = numbers_over_bars([most - number % 2 for number in range(days)])

    assert len(told) >= least_shown
    assert all(right < left for (_, right), (left, _) in pairwise(told))


def sizes_of_figures(rows: list[Row]) -> set[float]:
    """Of the large figures at the top."""
    found = set()

    def see(text: str, _: object, at: list[float], font: object, size: float) -> None:
        if 700 < at[5] < 740 and size > 10:
            found.add(size)

    PdfReader(io.BytesIO(made(rows))).pages[0].extract_text(visitor_text=see)
    return found


@pytest.mark.parametrize(
    ("waited", "size"),
    [([15_000.0] * 9 + [28_500.0], 18), ([1.0], 18), ([86_400 * 1000 + 3600 * 5.0] * 2, 18)],
)
def test_the_figures_at_the_top_are_of_one_size(waited: list[float], size: float) -> None:
    assert sizes_of_figures([row(waited_seconds=each) for each in waited]) == {size}


def test_figures_that_are_too_long_shrink_together() -> None:
    rows = [row(size_bytes=999_900_000_000_000_000, waited_seconds=86_400 * 12_345 + 3600 * 23.0)]

    (size,) = sizes_of_figures(rows)

    assert 12 <= size < 18


def test_an_emoji_that_no_font_has_can_be_copied() -> None:
    """By readers that know more of `ActualText` than PDFium, which leaves out all beyond U+FFFD."""
    pdf = PdfReader(io.BytesIO(made(rows_of("🎉 party.zip"))))

    content = b"".join(page.get_contents().get_data() for page in pdf.pages)

    assert f"<feff{'🎉 party.zip'.encode('utf-16-be').hex()}>".encode() in content


WRONG = [
    "",
    "   ",
    "\x00\x01\x1b[31m\x7f",
    "\u0301\u0308 lone marks",
    "Z\u0334\u0322\u031ba\u0337\u035dlgo",
    "x\u202egnp.exe",
    "\ud800 half",
    "a" * 200,
    "\u0644" * 200,
    "🎉" * 200,
    "\u0301" * 200,
    "\ufe0f\u200d",
]


@pytest.mark.parametrize("name", WRONG, ids=range(len(WRONG)))
def test_a_name_that_is_none_makes_a_report_all_the_same(name: str) -> None:
    (text, *_) = pages(made(rows_of(name), owner=name))

    assert "1 download asked for" in text
