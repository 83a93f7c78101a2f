"""Sizes of files for people: '14.2 MB'. sizes.js has the same for scripts. Pure."""

from __future__ import annotations

NO_BREAK = "\u00a0"  # keeps a number and its unit together
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size_of(count: int, total: int | None = None) -> str:
    """Return '14.2 MB', or '3.1 of 14.2 MB': decimal units, and the same one for both.

    From megabytes up there is one decimal place.
    """
    power = min((len(str(total or count)) - 1) // 3, len(UNITS) - 1)
    places = 0 if power < 2 else 1
    shown = [f"{n / 1000**power:,.{places}f}" for n in ([count, total] if total else [count])]
    return " of ".join(shown) + NO_BREAK + UNITS[power]
