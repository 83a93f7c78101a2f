"""The small tables of a report: by kind, by time, by error code, by size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from jobs.errors import JOB_CODES
from jobs.kinds.report.document.figures import Figures, KindFigures, Percentiles
from jobs.kinds.report.document.labels import (
    STATUSES,
    date_label,
    duration_label,
    file_size_label,
    name_label,
    percentage_label,
    time_label,
)
from jobs.kinds.report.document.pdf_document import FAIL, INK, SOFT
from jobs.kinds.report.document.report_input import ReportInput
from jobs.kinds.report.document.tables import Cell, Column, Table

ALL = "All"
MAX_CODES = 25  # the rest is summed up, so that the table fits on one page
NOT_KNOWN = "No reason was recorded."


def table_by_kind(figures: Figures, params: ReportInput) -> Table:
    columns = [
        Column("Kind", align="left"),
        *(Column(word, 52) for word in STATUSES.values()),
        Column(ALL, 52),
    ]
    total = sum((kind.statuses for kind in figures.kinds), Counter[str]())
    rows = [_kind_row(params.kind_label(kind.kind), kind.statuses) for kind in figures.kinds]
    return Table(columns, [*rows, *_if_several(figures, _kind_row(ALL, total, bold=True))])


def _kind_row(label: str, statuses: Counter[str], *, bold: bool = False) -> list[Cell]:
    return [
        Cell(label, bold=bold),
        *(_number(statuses[status], bold=bold) for status in STATUSES),
        _number(statuses.total(), bold=True),
    ]


def _number(count: int, *, bold: bool = False) -> Cell:
    """Return a cell for the count; a zero is gray and never bold."""
    return Cell(f"{count:,}", INK if count else SOFT, bold=bold and bool(count))


def table_by_time(
    figures: Figures,
    params: ReportInput,
    times_of: Callable[[Figures | KindFigures], Percentiles | None],
) -> Table:
    columns = [
        Column("Kind", align="left"),
        *(Column(title, 68) for title in ("Downloads", "Median", "p95", "p99", "Longest")),
    ]
    rows = [
        _time_row(params.kind_label(kind.kind), times)
        for kind in figures.kinds
        if (times := times_of(kind))
    ]
    times = times_of(figures)
    total = _time_row(ALL, times, bold=True) if times else []
    return Table(columns, [*rows, *_if_several(figures, total)])


def _time_row(label: str, times: Percentiles, *, bold: bool = False) -> list[Cell]:
    texts = map(duration_label, (times.median, times.p95, times.p99, times.longest))
    return [Cell(text, bold=bold) for text in (label, f"{times.count:,}", *texts)]


def _if_several(figures: Figures, total: list[Cell]) -> Iterator[list[Cell]]:
    """Yield the total if there are several kinds; with one it would repeat that row."""
    if len(figures.kinds) > 1:
        yield total


def table_by_code(figures: Figures) -> Table:
    columns = [
        Column("Code", 92, "left"),
        Column("Count", 34),
        Column("Share", 34),
        Column("What it means", align="left"),
    ]
    listed, rest = figures.failures[:MAX_CODES], figures.failures[MAX_CODES:]
    rows = [
        _code_row(code or "none", count, figures, JOB_CODES.get(code, NOT_KNOWN))
        for code, count in listed
    ]
    if rest:
        others = sum(count for _, count in rest)
        rows.append(_code_row(f"{len(rest)} others", others, figures, ""))
    return Table(columns, rows)


def _code_row(code: str, count: int, figures: Figures, meaning: str) -> list[Cell]:
    share = percentage_label(count, figures.failed)
    return [Cell(code, FAIL), Cell(f"{count:,}"), Cell(share), Cell(meaning, SOFT)]


def table_of_largest(figures: Figures, params: ReportInput) -> Table:
    columns = [Column("File", align="left")]
    if not params.owner:
        columns.append(Column("Owner", 80, "left"))
    columns += [Column("Kind", 36, "left"), Column("Requested", 112, "left"), Column("Size", 52)]
    rows = []
    for row in figures.largest:
        owner = [] if params.owner else [Cell(row.owner)]
        requested = Cell(f"{date_label(row.day)}, {time_label(row.created_at)}", SOFT)
        kind = Cell(params.kind_label(row.kind))
        size = Cell(file_size_label(row.size_bytes), bold=True)
        rows.append([Cell(name_label(row.name)), *owner, kind, requested, size])
    return Table(columns, rows)
