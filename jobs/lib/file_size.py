"""Sizes of files for people: '14.2 MB'. Pure.

sizes.js and the client's formatting.py round alike; tests/test_sizes.py compares the three.
"""

from __future__ import annotations

NO_BREAK = "\u00a0"  # keeps a number and its unit together
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def file_size_text(count: int, total: int | None = None) -> str:
    """Return '14.2 MB', or '3.1 of 14.2 MB': decimal units, and the same one for both.

    The unit is the smallest in which the rounded number has at most three digits before the
    point. From megabytes up there is one decimal place.
    """
    power = next((n for n in range(5) if _rounded(total or count, n) < 1000), 5)
    places = 0 if power < 2 else 1
    numbers = [_rounded(each, power) for each in ([count, total] if total else [count])]
    return " of ".join(f"{each:,.{places}f}" for each in numbers) + NO_BREAK + UNITS[power]


def _rounded(count: int, power: int) -> float:
    """Return `count` in units of 1000**power. Halves are rounded up, as scripts do."""
    scale = 1 if power < 2 else 10
    unit: int = 1000**power // scale
    return (count + unit // 2) // unit / scale
