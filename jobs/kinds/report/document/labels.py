"""Format numbers, times and statuses for a report. All times are in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime

from jobs.lib.file_size import NO_BREAK, file_size_text
from jobs.states import Status

NOTHING = "–"
# The words of the pages.
STATUSES = {status.value: status.value.capitalize() for status in Status} | {
    Status.PROCESSING.value: "Working",
    Status.COMPLETED.value: "Ready",
}


def name_label(name: str) -> str:
    """Return the name, or a dash for one of blanks only."""
    return name.strip() or NOTHING


def file_size_label(count: int | None) -> str:
    """Return '14.2 MB', as on the pages; a dash without a size."""
    return NOTHING if count is None else file_size_text(count)


def number_label(count: int) -> str:
    """'999', '1.2k', '12k', '3.4M', rounded down."""
    for power, letter in ((9, "G"), (6, "M"), (3, "k")):
        if count >= 10**power:
            tenths = count // 10 ** (power - 1)
            return f"{tenths / 10:.1f}{letter}" if tenths < 100 else f"{tenths // 10}{letter}"
    return str(count)


def duration_label(seconds: float | None) -> str:
    """'0.4 s', '24 s', '3 min 20 s', '1 h 5 min', '2 days 3 h'."""
    if seconds is None:
        return NOTHING
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f}{NO_BREAK}s"
    whole = round(seconds)
    for unit, large, lesser, small in (
        (86_400, "days" if whole >= 2 * 86_400 else "day", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= unit:
            rest = whole % unit // lesser
            more = f"{NO_BREAK}{rest}{NO_BREAK}{small}" if rest else ""
            return f"{whole // unit:,}{NO_BREAK}{large}{more}"
    return f"{whole}{NO_BREAK}s"


def percentage_label(part: int, whole: int) -> str:
    """'97.4%'. Never 0% for a part above zero, nor 100% for less than the whole."""
    if not whole:
        return NOTHING
    if 0 < part * 1000 < whole:
        return "<0.1%"
    if 0 < (whole - part) * 1000 < whole:
        return ">99.9%"
    return f"{part / whole:.1%}".replace(".0%", "%")


def downloads_label(count: int) -> str:
    return "1 download" if count == 1 else f"{count:,} downloads"


def date_label(at: date) -> str:
    return f"{at.day} {at:%B %Y}"


def date_range_label(first: date, last: date) -> str:
    """'24 October to 22 November 2026', without repeating an equal month or year."""
    if first == last:
        return date_label(last)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {date_label(last)}"
    if first.year == last.year:
        return f"{first.day} {first:%B} to {date_label(last)}"
    return f"{date_label(first)} to {date_label(last)}"


def timestamp_label(at: datetime) -> str:
    at = at.astimezone(UTC)
    return f"{date_label(at)} at {at:%H:%M} UTC"


def time_label(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S}"
