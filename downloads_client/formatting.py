"""Formats text, sizes and durations for a terminal."""

from __future__ import annotations

import math
from datetime import datetime

from jobs.lib.names import MISLEADING

MAX_SHOWN = 300  # characters of a text from the service
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def format_printable(text: str) -> str:
    """Return the text on one line, without control characters and bidi overrides, shortened."""
    shown = MISLEADING.sub("\N{REPLACEMENT CHARACTER}", text)
    return shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 1] + "…"


def format_size(count: float) -> str:
    """Return '14.2 MB': decimal units, and halves rounded up, as on the pages."""
    whole = round(count)
    power = next((n for n in range(5) if _rounded(whole, n) < 1000), 5)
    return f"{_rounded(whole, power):,.{0 if power < 2 else 1}f} {UNITS[power]}"


def _rounded(count: int, power: int) -> float:
    scale = 1 if power < 2 else 10
    unit: int = 1000**power // scale
    return (count + unit // 2) // unit / scale


def format_amount(count: int, total: int | None, unit: str = "bytes") -> str:
    """Return '3.1 MB of 14.2 MB' or '3 of 7 pages'."""
    if unit != "bytes":
        return f"{count:,} of {total:,} {unit}" if total else f"{count:,} {unit}"
    return f"{format_size(count)} of {format_size(total)}" if total else format_size(count)


def format_clock(seconds: float) -> str:
    """Return '0:42' or '1:02:03'."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_duration(seconds: float) -> str:
    """Return '3.8 s' or '42 s'."""
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"


def format_moment(at: datetime) -> str:
    """Return '06:00 on 23 November (UTC)', in the zone of `at`."""
    return f"{at:%H:%M} on {at.day} {at:%B} ({at:%Z})"


def format_waiting(others: int, at: datetime | None) -> str:
    """Return 'Depends on 2 downloads' or 'Starts at 06:00 on 23 November (UTC)'."""
    if not others:
        return f"Starts at {format_moment(at)}" if at else ""
    waits = f"Depends on {others:,} {'download' if others == 1 else 'downloads'}"
    return f"{waits}; not before {format_moment(at)}" if at else waits


def format_connections(count: int) -> str:
    return "1 connection" if count == 1 else f"{count} connections"


def format_alternatives(texts: list[str]) -> str:
    """Return 'a, b, or c'."""
    return ", ".join([*texts[:-1], f"or {texts[-1]}"])
