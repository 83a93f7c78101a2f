"""Reports as PDF, read back by PDFium and pypdf."""

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

from jobs.kinds.report.document import PDF_ROWS, ReportRow
from jobs.kinds.report.document.charts import AXIS, LETTERS, outcomes_chart
from jobs.kinds.report.document.figures import FigureTally, JobOutcome
from jobs.kinds.report.document.newest_rows import paginate_newest_rows
from jobs.kinds.report.document.pdf_document import LEFT, PdfDocument
from jobs.kinds.report.document.text_lines import text_line
from jobs.kinds.report.document.time_series import ChartBar, TimeSeries
from tests.reports import sample_rows
from tests.reports.built_reports import (
    FIRST,
    LAST,
    NOON,
    build_report,
    report_params,
    report_row,
)


def page_texts(pdf: bytes) -> list[str]:
    with pypdfium2.PdfDocument(pdf) as document:
        return [page.get_textpage().get_text_bounded() for page in document]


def outline_titles(pdf: bytes) -> list[str]:
    return [entry.title for entry in PdfReader(io.BytesIO(pdf)).outline if hasattr(entry, "title")]


@cache
def busy_month() -> bytes:
    return build_report(sample_rows.rows(900, FIRST, LAST), owner="")


def test_document_has_title_author_language_and_date() -> None:
    reader = PdfReader(io.BytesIO(busy_month()))

    assert reader.metadata
    assert reader.metadata.title == "Activity of everybody"
    assert reader.metadata.author == "Downloads"
    assert reader.metadata.creation_date_raw == "D:20261123000500Z"
    assert reader.trailer["/Root"]["/Lang"] == "en"
    assert reader.trailer["/Root"]["/ViewerPreferences"]["/DisplayDocTitle"] == True  # noqa: E712


def test_every_page_has_title_period_date_and_number() -> None:
    read = page_texts(busy_month())

    for number, text in enumerate(read, 1):
        assert "Activity of everybody" in text
        assert "24 October to 22 November 2026" in text
        assert "Created 23 November 2026 at 00:05 UTC" in text
        assert f"Page {number} of {len(read)}" in text


def test_outline_has_the_sections_in_order() -> None:
    assert outline_titles(busy_month()) == [
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


def test_outline_has_the_days_below_the_table() -> None:
    outline = PdfReader(io.BytesIO(busy_month())).outline

    days = [entry["/Title"] for entry in outline[-1]]

    assert (days[0], days[-1]) == ("22 November 2026", "24 October 2026")
    assert len(days) == 30


def numbered_rows(count: int) -> list[ReportRow]:
    return [report_row(f"file-{number:04d}.bin", size_bytes=None) for number in range(count)]


def test_all_rows_are_in_the_table_once_up_to_the_limit() -> None:
    rows = numbered_rows(PDF_ROWS)

    pdf = build_report(rows)

    text = "\n".join(page_texts(pdf))
    assert all(text.count(each.name) == 1 for each in rows)
    assert outline_titles(pdf)[-1] == "All downloads"
    assert "not listed" not in text


@pytest.mark.parametrize(
    ("more", "note"),
    [(1, "1 older download is not listed"), (2_500, "2,500 older downloads are not listed")],
)
def test_only_the_newest_rows_are_listed_and_the_report_says_so(more: int, note: str) -> None:
    rows = numbered_rows(PDF_ROWS + more)

    pdf = build_report(rows)

    text = "\n".join(page_texts(pdf))
    assert outline_titles(pdf)[-1] == "Newest downloads"
    assert f"These are the newest 1,000. {note}; the report as CSV or JSON lists all" in text
    assert f"{len(rows):,} downloads requested" in text
    assert f"{len(rows):,} downloads" in text.partition("Newest downloads")[2]  # of the day
    assert all(text.count(each.name) == 1 for each in rows[:PDF_ROWS])
    assert not any(each.name in text for each in rows[PDF_ROWS:])


def test_a_long_report_is_about_twenty_pages() -> None:
    assert len(page_texts(build_report(sample_rows.rows(5_000, FIRST, LAST)))) < 25


def test_column_heads_are_on_every_page_of_the_table() -> None:
    read = page_texts(build_report([report_row(size_bytes=None)] * 300))

    assert len(read) > 4
    for text in read[2:]:
        assert "Requested" in text
        assert "20 November 2026" in text
        assert "continued" in text


def test_figures_and_failure_reasons_are_shown() -> None:
    rows = [
        report_row(size_bytes=1_500_000, waited_seconds=1.0),
        report_row(size_bytes=None, waited_seconds=3.0, status="failed", error_code="infected"),
    ]

    text = "\n".join(page_texts(build_report(rows)))

    assert "2 downloads requested: 1 completed, 1 failed." in text
    assert "50%" in text
    assert "1.5 MB" in text
    assert "2.0 s" in text  # the median
    assert "A virus was found in the file." in text
    assert "Failed: infected" in text


def test_owners_are_shown_in_a_report_on_all_users() -> None:
    rows = [report_row(owner="boris"), report_row(owner="chiara")]

    shown, hidden = (
        "\n".join(page_texts(build_report(rows, owner=owner))) for owner in ("", "ana")
    )

    assert "by 2 users" in shown
    assert "boris" in shown
    assert "boris" not in hidden
    assert "Owner" not in hidden


def test_report_without_jobs_says_so() -> None:
    pdf = build_report([])

    (text,) = page_texts(pdf)
    assert "No downloads in this period." in text
    assert "Page 1 of 1" in text
    assert outline_titles(pdf) == ["Summary"]


def test_report_on_one_unfinished_job_is_one_page() -> None:
    waiting = report_row(
        status="queued", size_bytes=None, waited_seconds=None, ran_seconds=None, finished_at=None
    )

    pdf = build_report([waiting])

    assert "1 download requested: 1 in progress." in page_texts(pdf)[0]
    assert outline_titles(pdf) == [
        "Summary",
        "Downloads per day",
        "By kind and status",
        "All downloads",
    ]
    assert len(page_texts(pdf)) == 1


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
def test_bars_are_hours_days_or_weeks(first: date, unit: str) -> None:
    pdf = build_report(sample_rows.rows(400, first, LAST), first_day=first)

    assert f"Downloads per {unit}" in outline_titles(pdf)


def test_rows_outside_the_period_give_no_chart() -> None:
    rows = [report_row(created_at=NOON - timedelta(999))]

    assert "Downloads per day" not in outline_titles(build_report(rows))


def test_wrong_count_does_not_change_the_rows() -> None:
    rows = [report_row(f"file-{number:03d}", size_bytes=None) for number in range(60)]

    for count in (0, 10, 5_000):
        text = "\n".join(page_texts(build_report(rows, count=count)))
        assert "60 downloads requested" in text
        assert all(each.name in text for each in rows)


def test_many_codes_and_kinds_are_summed_up() -> None:
    codes = [
        report_row(kind=f"kind{at % 9}", status="failed", error_code=f"code_{at:02d}")
        for at in range(60)
    ]
    days = [report_row(created_at=NOON - timedelta(at * 7 % 20)) for at in range(200)]

    text = "\n".join(page_texts(build_report([*codes, *days])))

    assert "35 others" in text
    assert "No reason was recorded." in text


def test_days_out_of_order_are_in_the_outline_once() -> None:
    rows = [report_row(size_bytes=None, created_at=NOON - timedelta(at % 2)) for at in range(50)]

    outline = PdfReader(io.BytesIO(build_report(rows))).outline

    assert [entry["/Title"] for entry in outline[-1]] == ["20 November 2026", "19 November 2026"]


def test_the_same_rows_make_the_same_bytes() -> None:
    assert build_report(sample_rows.rows(100, FIRST, LAST)) == build_report(
        sample_rows.rows(100, FIRST, LAST)
    )


def test_document_has_no_links_scripts_or_attachments() -> None:
    pdf = busy_month()

    for key in (b"/URI", b"/JavaScript", b"/Launch", b"/EmbeddedFile", b"/OpenAction"):
        assert key not in pdf


@pytest.mark.parametrize("first_room", [100.0, 732.0])
def test_pagination_keeps_all_rows_and_no_heading_is_alone(first_room: float) -> None:
    rows = [
        report_row(created_at=NOON - timedelta(day))
        for day in range(60)
        for _ in range(1 + day * 13 % 150)
    ]

    sections = [
        section for page in paginate_newest_rows(rows, first_room=first_room) for section in page
    ]

    assert [row for section in sections for row in section.rows] == rows
    assert all(section.rows for section in sections)
    assert sum(not section.continued for section in sections) == 60


def test_row_with_an_error_code_shows_it() -> None:
    waiting = report_row(status="queued", error_code="remote_unavailable")

    assert "Queued: remote_unavailable" in "\n".join(page_texts(build_report([waiting])))


def rows_of(*names: str) -> list[ReportRow]:
    return [report_row(name, size_bytes=None) for name in names]


HOSTILE = [
    "<b>bold</b> & <script>alert(1)</script>",
    "(parens) \\back\\slash) ((",
    "%PDF-1.4 endstream endobj",
    "ET Q BT (x) Tj",
    "&lt;para&gt; &#x41;",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_name_is_never_interpreted_as_markup(name: str) -> None:
    assert name in "\n".join(page_texts(build_report(rows_of(name))))


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
def test_name_in_any_script_can_be_copied(name: str) -> None:
    assert name in "\n".join(page_texts(build_report(rows_of(name), owner="анна")))


@pytest.mark.parametrize("name", ["تقرير نوفمبر 2026.pdf", "דוח שנתי (טיוטה).pdf", "سلام"])
def test_right_to_left_words_can_be_found(name: str) -> None:
    """PDFium returns several right-to-left words in reverse order."""
    text = "\n".join(page_texts(build_report(rows_of(name))))

    assert all(word in text for word in re.findall(r"\w+", name))


@pytest.mark.parametrize("name", ["क्षत्रिय हिन्दी.pdf", "ที่ น้ำ.pdf", "தமிழ் அறிக்கை.pdf"])
def test_name_with_shaped_or_missing_letters_can_be_copied(name: str) -> None:
    assert name in "\n".join(page_texts(build_report(rows_of(name))))


NOTE = "this report has no font for it. The report as CSV has every name."


def test_only_pages_with_a_missing_character_have_a_note() -> None:
    rows = [*rows_of("தமிழ்.pdf"), *rows_of(*["plain – Ж 報告.zip"] * 200)]

    shown = [NOTE in text for text in page_texts(build_report(rows))]

    assert shown.count(True) == 1
    assert NOTE not in "".join(page_texts(build_report(rows_of("plain.zip", "\x00", "\ufffd"))))


def numbers_above_bars(failed: list[int]) -> list[tuple[float, float]]:
    """Return the left and right edges of the numbers, from left to right."""
    pdf = PdfDocument(report_params([]), pages=1)
    pdf.begin_page()
    tallies = [FigureTally(Counter({JobOutcome.FAILED: count})) for count in failed]
    bars = [ChartBar(f"{number}", tally) for number, tally in enumerate(tallies)]
    outcomes_chart(pdf, 600, 146, TimeSeries("day", (1, 2, 7, 14), bars))
    found = []

    def visit(text: str, _: object, at: list[float], *font: object) -> None:
        if re.fullmatch(r"[\d,.]+[kM]?", text.strip()) and at[4] > LEFT + AXIS and at[5] > 460:
            found.append((at[4], at[4] + text_line(text.strip()).width * LETTERS))

    PdfReader(io.BytesIO(pdf.close())).pages[0].extract_text(visitor_text=visit)
    return sorted(found)


@pytest.mark.parametrize(
    ("days", "most", "least_shown"),
    [(30, 9, 30), (30, 999, 30), (30, 1_400, 30), (30, 14_000, 30), (60, 1_400, 20), (70, 99, 30)],
)
def test_numbers_above_bars_never_touch(days: int, most: int, least_shown: int) -> None:
    edges = numbers_above_bars([most - number % 2 for number in range(days)])

    assert len(edges) >= least_shown
    assert all(right < left for (_, right), (left, _) in pairwise(edges))


def sizes_of_figures(rows: list[ReportRow]) -> set[float]:
    """Return the font sizes of the large figures at the top."""
    found = set()

    def visit(text: str, _: object, at: list[float], font: object, size: float) -> None:
        if 700 < at[5] < 740 and size > 10:
            found.add(size)

    PdfReader(io.BytesIO(build_report(rows))).pages[0].extract_text(visitor_text=visit)
    return found


@pytest.mark.parametrize(
    ("waited", "size"),
    [([15_000.0] * 9 + [28_500.0], 18), ([1.0], 18), ([86_400 * 1000 + 3600 * 5.0] * 2, 18)],
)
def test_figures_at_the_top_have_one_size(waited: list[float], size: float) -> None:
    assert sizes_of_figures([report_row(waited_seconds=each) for each in waited]) == {size}


def test_long_figures_shrink_together() -> None:
    rows = [
        report_row(
            size_bytes=999_900_000_000_000_000_000, waited_seconds=86_400 * 12_345 + 3600 * 23.0
        )
    ]

    (size,) = sizes_of_figures(rows)

    assert 12 <= size < 18


def test_emoji_without_a_font_can_be_copied() -> None:
    """Checks ActualText in the content, as PDFium drops characters above U+FFFF."""
    pdf = PdfReader(io.BytesIO(build_report(rows_of("🎉 party.zip"))))

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
def test_invalid_name_does_not_break_the_report(name: str) -> None:
    (text, *_) = page_texts(build_report(rows_of(name), owner=name))

    assert "1 download requested" in text
