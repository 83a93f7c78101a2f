"""Formats the results as text for the terminal, Markdown for the docs, and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.bench.bars import BARS, NOT_REACHED, Bar
from benchmarks.bench.figures import Result, Row


@dataclass
class Report:
    """The results of all cases. `missing` has the reason for each case without figures."""

    machine: Mapping[str, Any]
    questions: Mapping[str, str]
    results: dict[str, Result] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    all_bars: Sequence[Bar] = field(default_factory=lambda: BARS)

    def case(self, name: str) -> Iterator[str]:
        """Yield lines of Markdown, also readable in a terminal."""
        yield f"### {name}"
        yield ""
        yield self.questions[name]
        yield ""
        if name in self.missing:
            yield f"Not measured: {self.missing[name]}."
            return
        result = self.results[name]
        for contenders in dict.fromkeys(tuple(row.contenders) for row in result.rows):
            rows = [row for row in result.rows if tuple(row.contenders) == contenders]
            yield from table(head(rows[0]), [cells(row) for row in rows])
            yield ""
        for contender, groups in result.shares.items():
            parts = ", ".join(f"{group} {number(ms)}" for group, ms in groups.items())
            yield f"- Processor time of {contender}, in ms: {parts}"
        yield from (f"- {note}" for note in result.notes)

    def bars(self) -> Iterator[str]:
        lines = []
        for bar in self.all_bars:
            if bar.case in self.results or bar.case in self.missing:
                value = bar.measured(self.results)
                measured = "" if value is None else number(value)
                bounds = bar.bound(bar.must), bar.bound(bar.aim)
                lines.append([bar.text, measured, *bounds, bar.verdict(self.results)])
        yield from table(["bar", "measured", "must", "aim", ""], lines)

    @property
    def is_reached(self) -> bool:
        return all(bar.verdict(self.results) != NOT_REACHED for bar in self.all_bars)

    def markdown(self) -> str:
        lines = [f"- {name}: {text(value)}" for name, value in self.machine.items()]
        lines += ["", "### Bars", "", *self.bars()]
        for name in [*self.results, *self.missing]:
            lines += ["", *self.case(name)]
        return "\n".join(lines) + "\n"

    def json(self) -> dict[str, Any]:
        cases: dict[str, Any] = {name: {"notMeasured": why} for name, why in self.missing.items()}
        for name, result in self.results.items():
            cases[name] = {
                "rows": [_row(row) for row in result.rows],
                "processorMs": result.shares,
                "notes": result.notes,
            }
        bars = [
            {
                "bar": bar.text,
                "measured": bar.measured(self.results),
                "must": bar.bound(bar.must),
                "aim": bar.bound(bar.aim),
                "verdict": bar.verdict(self.results),
            }
            for bar in self.all_bars
        ]
        return {"machine": dict(self.machine), "cases": cases, "bars": bars}


def head(row: Row) -> list[str]:
    first, *others = row.contenders
    return ["", first, *(word for name in others for word in (name, f"÷ {name}"))]


def cells(row: Row) -> list[str]:
    """Return the medians and the median ratios of the rounds, with their ranges."""
    first, *others = row.contenders
    unit = "" if row.unit in ("", "/s") else f", {row.unit}"  # the name of a rate has its unit
    found = [row.metric + unit, with_range(row.values[first])]
    for name in others:
        found += [with_range(row.values[name]), with_range(row.ratios(name))]
    return found


def table(names: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(line[n]) for line in [names, *lines]) for n in range(len(names))]
    rule = ["-" * max(3, width) for width in widths]
    for line in [names, rule, *lines]:
        padded = [cell.ljust(max(3, width)) for cell, width in zip(line, widths, strict=True)]
        yield f"| {' | '.join(padded)} |"


def with_range(values: Sequence[float]) -> str:
    if not values:
        return ""
    shown = number(median(values))
    if len(values) == 1:
        return shown
    return f"{shown} ({number(min(values))} to {number(max(values))})"


def number(value: float) -> str:
    """Return three significant digits, or a whole number with separators."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {number}" for name, number in value.items())
    return str(value)


def _row(row: Row) -> dict[str, Any]:
    first, *others = row.contenders
    return {
        "what": row.metric,
        "unit": row.unit,
        "values": {name: list(values) for name, values in row.values.items()},
        "median": {name: row.median(name) for name in row.contenders},
        "ratios": {name: row.ratios(name) for name in others},
        "of": first,
    }
