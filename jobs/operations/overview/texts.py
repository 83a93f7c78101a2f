"""Numbers of the overview in words. Pure."""

from __future__ import annotations

from datetime import datetime
from math import inf

from django.utils import timezone

from jobs.lib.file_size import NO_BREAK
from jobs.models.job_statistics import BOUNDS
from jobs.web.wording.time_text import day_text, is_today

NONE = "–"
DAY_SECONDS = 24 * 3600


def seconds_text(seconds: float | None) -> str:
    """Return '12 ms', '0.3 s', '24 s', '4 min 12 s', '1 h 5 min' or '3 days'; a dash for None."""
    if seconds is None:
        return NONE
    if seconds == inf:
        return f"> {seconds_text(BOUNDS[-1])}"
    if 0 < seconds < 0.0995:
        return f"{max(round(1000 * seconds), 1)}{NO_BREAK}ms"
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f}".removesuffix(".0") + f"{NO_BREAK}s"
    whole = round(seconds)
    if whole >= 2 * DAY_SECONDS:
        return f"{whole // DAY_SECONDS}{NO_BREAK}days"
    if whole < 60:
        return f"{whole}{NO_BREAK}s"
    unit, in_seconds, smaller, smaller_seconds = ("h", 3600, "min", 60)
    if whole < 3600:
        unit, in_seconds, smaller, smaller_seconds = ("min", 60, "s", 1)
    rest = whole % in_seconds // smaller_seconds
    text = f"{whole // in_seconds}{NO_BREAK}{unit}"
    return f"{text} {rest}{NO_BREAK}{smaller}" if rest else text


def percentiles_text(pair: tuple[float | None, float | None]) -> str:
    """Return '3 s / 12 s': the median and the 95th percentile."""
    return NONE if pair[0] is None else " / ".join(map(seconds_text, pair))


def moment_text(at: datetime, now: datetime) -> str:
    """Return '22:05:12', or '29 Nov 22:05:12' on another day."""
    day = "" if is_today(at, now) else f"{day_text(at, now, short=True)} "
    return f"{day}{timezone.localtime(at):%H:%M:%S}"


def share_text(share: float) -> str:
    """Return '1.9 %', or '12 %' from ten percent up."""
    percent = 100 * share
    places = 1 if 0 < percent < 9.95 else 0
    return f"{percent:.{places}f}{NO_BREAK}%"
