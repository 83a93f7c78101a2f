"""The builder of reports, with a workspace in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise

import pytest

from jobs.errors import Interrupted
from jobs.kinds.report.build import build_report
from jobs.kinds.report.document import ReportRow
from jobs.testing import MemoryWorkspace
from tests.reports import sample_rows
from tests.reports.built_reports import FIRST, LAST, report_params, report_row

FORMATS = ["pdf", "csv", "json"]


def rows(count: int) -> list[ReportRow]:
    return list(sample_rows.rows(count, FIRST, LAST))


@pytest.fixture
def work() -> Iterator[MemoryWorkspace]:
    work = MemoryWorkspace()
    yield work
    work.close()


@pytest.mark.parametrize(
    ("format", "content_type", "start"),
    [
        ("pdf", "application/pdf", b"%PDF-1.7"),
        ("csv", "text/csv; charset=utf-8", b"\xef\xbb\xbfjobId"),
        ("json", "application/json", b'{"title"'),
    ],
)
def test_name_and_type_are_set_before_the_first_byte(
    work: MemoryWorkspace, format: str, content_type: str, start: bytes
) -> None:
    build_report(report_params(rows(3), format), work)

    name = f"Activity 2026-10-24 to 2026-11-22.{format}"
    assert (work.name, work.content_type) == (name, content_type)
    assert work.content.startswith(start)


def test_report_on_one_day_is_named_after_that_day() -> None:
    one_day = report_params([], first_day=LAST)

    assert one_day.file_name == "Activity 2026-11-22.pdf"
    assert (one_day.title, one_day.period) == ("Activity of ana", "22 November 2026")


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (date(2026, 11, 1), date(2026, 11, 30), "1 to 30 November 2026"),
        (date(2026, 10, 24), date(2026, 11, 22), "24 October to 22 November 2026"),
        (date(2025, 12, 1), date(2026, 1, 5), "1 December 2025 to 5 January 2026"),
    ],
)
def test_period_does_not_repeat_month_or_year(first: date, last: date, words: str) -> None:
    assert report_params([], first_day=first, last_day=last).period == words


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("count", [0, 1, 249, 250, 900])
def test_progress_adds_up_to_the_planned_total(
    work: MemoryWorkspace, format: str, count: int
) -> None:
    build_report(report_params(rows(count), format), work)

    done = [0, *(done for done, _, _ in work.progress)]
    assert done[-1] == count
    assert {(total, unit) for _, total, unit in work.progress} <= {(count, "jobs")}
    assert all(0 < after - before <= 300 for before, after in pairwise(done))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("guess", [0, 100, 5_000])
def test_progress_ends_at_the_planned_total_if_the_count_was_wrong(
    work: MemoryWorkspace, format: str, guess: int
) -> None:
    build_report(report_params(rows(900), format, count=guess), work)

    assert [done for done, _, _ in work.progress[-1:]] == ([guess] if guess else [])


def test_messages_name_each_phase_in_order(work: MemoryWorkspace) -> None:
    build_report(report_params(rows(600)), work)

    assert work.messages == [
        "Reading the jobs",
        "Reading the jobs: 250 of 600",
        "Reading the jobs: 500 of 600",
        "Computing the figures",
        "Drawing the pages",
    ]


def test_rows_are_read_once_though_they_may_change(work: MemoryWorkspace) -> None:
    read: list[int] = []

    def changing() -> Iterator[ReportRow]:
        read.append(1)
        yield from [report_row("before.zip")] * (3 if len(read) == 1 else 1)

    build_report(report_params([], "json", rows=changing, count=3), work)

    assert len(read) == 1
    assert work.content.count(b"before.zip") == 6  # as rows and as largest files


@pytest.mark.parametrize("format", FORMATS)
def test_only_csv_is_written_while_rows_are_read(work: MemoryWorkspace, format: str) -> None:
    written: list[int] = []

    def watched() -> Iterator[ReportRow]:
        for each in rows(3_000):
            written.append(work.written_bytes)
            yield each

    build_report(report_params([], format, rows=watched), work)

    assert (written[-1] > 0) == (format == "csv")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("call", [1, 5, 10])
def test_interruption_stops_the_report(format: str, call: int) -> None:
    work = MemoryWorkspace(cancel_after=call)

    with pytest.raises(Interrupted):
        build_report(report_params(rows(2_000), format), work)

    work.close()
    assert len(work.progress) + len(work.messages) <= call
