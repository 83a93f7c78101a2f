"""The small tables of a report: by kind, by time, by reason, by size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from jobs.errors import JOB_CODES
from jobs.kinds.report.document.figures import Figures, OfKind, Spread
from jobs.kinds.report.document.labels import (
    STATUSES,
    clock,
    day,
    kind_of,
    named,
    seconds,
    share,
    size,
)
from jobs.kinds.report.document.page import FAIL, INK, SOFT
from jobs.kinds.report.document.rows import ReportParams
from jobs.kinds.report.document.tables import Cell, Column, Table

ALL = "All"
MOST_CODES = 25  # told one by one; the table stays on one page
NOT_KNOWN = "No reason was recorded."


def kinds(figures: Figures) -> Table:
    columns = [
        Column("Kind", align="left"),
        *(Column(word, 52) for word in STATUSES.values()),
        Column(ALL, 52),
    ]
    together = sum((of.statuses for of in figures.kinds), Counter[str]())
    rows = [_statuses(kind_of(of.kind), of.statuses) for of in figures.kinds]
    return Table(columns, [*rows, *_if_several(figures, _statuses(ALL, together, bold=True))])


def _statuses(word: str, statuses: Counter[str], *, bold: bool = False) -> list[Cell]:
    return [
        Cell(word, bold=bold),
        *(_number(statuses[status], bold=bold) for status in STATUSES),
        _number(statuses.total(), bold=True),
    ]


def _number(count: int, *, bold: bool = False) -> Cell:
    """A nought is there, and does not shout."""
    return Cell(f"{count:,}", INK if count else SOFT, bold=bold and bool(count))


def times(figures: Figures, of_kind: Callable[[Figures | OfKind], Spread | None]) -> Table:
    columns = [
        Column("Kind", align="left"),
        *(Column(title, 68) for title in ("Downloads", "Median", "p95", "p99", "Longest")),
    ]
    rows = [_times(kind_of(of.kind), spread) for of in figures.kinds if (spread := of_kind(of))]
    spread = of_kind(figures)
    together = _times(ALL, spread, bold=True) if spread else []
    return Table(columns, [*rows, *_if_several(figures, together)])


def _times(word: str, spread: Spread, *, bold: bool = False) -> list[Cell]:
    shown = map(seconds, (spread.median, spread.p95, spread.p99, spread.longest))
    return [Cell(text, bold=bold) for text in (word, f"{spread.count:,}", *shown)]


def _if_several(figures: Figures, row: list[Cell]) -> Iterator[list[Cell]]:
    """A sum of one kind would be that kind again."""
    if len(figures.kinds) > 1:
        yield row


def failures(figures: Figures) -> Table:
    columns = [
        Column("Code", 92, "left"),
        Column("Count", 34),
        Column("Share", 34),
        Column("What it means", align="left"),
    ]
    told = figures.failures[:MOST_CODES]
    rows = [_failure(code, count, figures) for code, count in told]
    if rest := figures.failures[MOST_CODES:]:
        others = sum(count for _, count in rest)
        rows.append(_cells(f"{len(rest)} others", others, figures, ""))
    return Table(columns, rows)


def _failure(code: str, count: int, figures: Figures) -> list[Cell]:
    return _cells(code or "none", count, figures, JOB_CODES.get(code, NOT_KNOWN))


def _cells(code: str, count: int, figures: Figures, sentence: str) -> list[Cell]:
    shown = share(count, figures.failed)
    return [Cell(code, FAIL), Cell(f"{count:,}"), Cell(shown), Cell(sentence, SOFT)]


def largest(figures: Figures, params: ReportParams) -> Table:
    columns = [Column("File", align="left")]
    if not params.owner:
        columns.append(Column("Owner", 80, "left"))
    columns += [Column("Kind", 36, "left"), Column("Asked for", 112, "left"), Column("Size", 52)]
    rows = []
    for row in figures.largest:
        owner = [] if params.owner else [Cell(row.owner)]
        asked = Cell(f"{day(row.day)}, {clock(row.created_at)}", SOFT)
        kind = Cell(kind_of(row.kind))
        rows.append(
            [Cell(named(row.name)), *owner, kind, asked, Cell(size(row.size_bytes), bold=True)]
        )
    return Table(columns, rows)
