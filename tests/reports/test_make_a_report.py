"""Kind `report`: the builder alone, with a workspace of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from jobs.errors import Interrupted
from jobs.kinds.report.build import build
from jobs.kinds.report.document import Row
from tests.reports import made_up
from tests.reports.desk import FIRST, LAST, Desk, params, row

FORMATS = ["pdf", "csv", "json"]


def rows(count: int) -> list[Row]:
    return list(made_up.rows(count, FIRST, LAST))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize(
    ("form", "content_type", "start"),
    [
        ("pdf", "application/pdf", b"%PDF-1.7"),
        ("csv", "text/csv; charset=utf-8", b"\xef\xbb\xbfjobId"),
        ("json", "application/json", b'{"title"'),
    ],
)
def test_name_and_type_are_told_before_the_file(
    desk: Desk, form: str, content_type: str, start: bytes
) -> None:
    build(params(rows(3), form), desk)  # type: ignore[arg-type]

    name = f"Activity 2026-10-24 to 2026-11-22.{form}"
    assert desk.told == {"name": name, "content_type": content_type}
    assert desk.output.getvalue().startswith(start)


def test_a_report_on_one_day_is_named_by_it() -> None:
    asked = params([], first_day=LAST)

    assert asked.file_name == "Activity 2026-11-22.pdf"
    assert (asked.title, asked.period) == ("Activity of ana", "22 November 2026")


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (date(2026, 11, 1), date(2026, 11, 30), "1 to 30 November 2026"),
        (date(2026, 10, 24), date(2026, 11, 22), "24 October to 22 November 2026"),
        (date(2025, 12, 1), date(2026, 1, 5), "1 December 2025 to 5 January 2026"),
    ],
)
def test_a_period_is_told_in_few_words(first: date, last: date, words: str) -> None:
    assert params([], first_day=first, last_day=last).period == words


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("count", [0, 1, 249, 250, 900])
def test_progress_adds_up_to_what_was_planned(desk: Desk, form: str, count: int) -> None:
    build(params(rows(count), form), desk)  # type: ignore[arg-type]

    assert desk.planned == [(count, "jobs")]
    assert sum(desk.advanced) == count
    assert all(0 < step <= 300 for step in desk.advanced)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("guess", [0, 100, 5_000])
def test_progress_ends_where_it_was_planned_though_other_rows_come(
    desk: Desk, form: str, guess: int
) -> None:
    build(params(rows(900), form, count=guess), desk)  # type: ignore[arg-type]

    assert sum(desk.advanced) == guess


def test_the_phases_are_told_in_order(desk: Desk) -> None:
    build(params(rows(600)), desk)  # type: ignore[arg-type]

    assert desk.said[:5] == [
        "Reading the jobs",
        "Reading the jobs: 250 of 600",
        "Reading the jobs: 500 of 600",
        "Computing the figures",
        "Drawing the pages",
    ]
    pages = desk.said[5:]
    assert pages == [f"Drawing page {n} of {len(pages)}" for n in range(1, len(pages) + 1)]


def test_rows_are_read_once_and_none_is_lost_though_they_change_meanwhile(desk: Desk) -> None:
    read: list[int] = []

    def changing() -> Iterator[Row]:
        read.append(1)
        yield from [row("before.zip")] * (3 if len(read) == 1 else 1)

    build(params([], "json", rows=changing, count=3), desk)  # type: ignore[arg-type]

    assert len(read) == 1
    assert desk.output.getvalue().count(b"before.zip") == 6  # in the table, among the largest


@pytest.mark.parametrize("form", FORMATS)
def test_csv_alone_is_written_while_it_is_read(desk: Desk, form: str) -> None:
    written: list[int] = []

    def watched() -> Iterator[Row]:
        for each in rows(3_000):
            written.append(len(desk.output.getvalue()))
            yield each

    build(params([], form, rows=watched), desk)  # type: ignore[arg-type]

    assert (written[-1] > 0) == (form == "csv")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("patience", [0, 3, 5])
def test_an_interruption_passes(desk: Desk, form: str, patience: int) -> None:
    desk.interrupt, desk.patience = lambda: Interrupted(timed_out=False), patience

    with pytest.raises(Interrupted):
        build(params(rows(2_000), form), desk)  # type: ignore[arg-type]

    assert len(desk.advanced) == patience + 1
