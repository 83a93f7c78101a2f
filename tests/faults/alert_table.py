"""The figures of test_alerts.py as the table in docs/alerts.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

FIRED, RESOLVED = "fired", "resolved"


def what(alert: str, fault: str, outcome: str) -> str:
    """Return the name of a figure, from which `alert_table` makes a cell."""
    return f"{alert} | {fault} | {outcome}"


def alert_table(figures: Iterable[dict[str, Any]]) -> list[str]:
    """Return the lines of the table, in Markdown; none without figures of alerts."""
    seconds: dict[tuple[str, str], dict[str, float]] = {}
    for figure in figures:
        alert, _, rest = figure["what"].partition(" | ")
        fault, _, outcome = rest.partition(" | ")
        if outcome in (FIRED, RESOLVED):
            cells = seconds.setdefault((alert, fault), {})
            cells[outcome] = max(figure["value"], cells.get(outcome, 0.0))
    if not seconds:
        return []
    head = ["| alert | its fault | fired after | resolved after |", "|---|---|---|---|"]
    return head + [
        f"| `{alert}` | {fault} | {cells[FIRED]:.0f} s | {cells[RESOLVED]:.0f} s |"
        for (alert, fault), cells in sorted(seconds.items())
    ]
