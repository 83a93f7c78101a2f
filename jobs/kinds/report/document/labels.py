"""Numbers, times, kinds and statuses, as a report prints them. All times are in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime

from jobs.states import Status

NOTHING = "–"
NO_BREAK = "\u00a0"
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
KINDS = {"bundle": "Zip", "remote": "Link", "upload": "Upload", "report": "Report"}
STATUSES = {status.value: status.value.capitalize() for status in Status}


def kind_of(name: str) -> str:
    return KINDS.get(name, name.capitalize())


def named(name: str) -> str:
    """A name of blanks leaves no hole in a table."""
    return name.strip() or NOTHING


def size(count: int | None) -> str:
    """'14.2 MB', as on the pages: decimal units, and one place from megabytes on."""
    if count is None:
        return NOTHING
    power = min((len(str(count)) - 1) // 3, len(UNITS) - 1)
    places = 0 if power < 2 else 1
    return f"{count / 1000**power:,.{places}f}{NO_BREAK}{UNITS[power]}"


def short(count: int) -> str:
    """'999', '1.2k', '12k', '3.4M': for where there is little room. Rounded down."""
    for power, letter in ((9, "G"), (6, "M"), (3, "k")):
        if count >= 10**power:
            tenths = count // 10 ** (power - 1)
            return f"{tenths / 10:.1f}{letter}" if tenths < 100 else f"{tenths // 10}{letter}"
    return str(count)


def seconds(count: float | None) -> str:
    """'0.4 s', '24 s', '3 min 20 s', '1 h 5 min', '2 days 3 h'."""
    if count is None:
        return NOTHING
    if count < 9.95:
        return f"{max(count, 0):.1f}{NO_BREAK}s"
    whole = round(count)
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


def share(part: int, whole: int) -> str:
    """'97.4%'. Never 0% of some nor 100% of less than all."""
    if not whole:
        return NOTHING
    if 0 < part * 1000 < whole:
        return "<0.1%"
    if 0 < (whole - part) * 1000 < whole:
        return ">99.9%"
    return f"{part / whole:.1%}".replace(".0%", "%")


def downloads(count: int) -> str:
    return "1 download" if count == 1 else f"{count:,} downloads"


def day(at: date) -> str:
    return f"{at.day} {at:%B %Y}"


def period(first: date, last: date) -> str:
    """'24 October to 22 November 2026', with no word twice that is the same."""
    if first == last:
        return day(last)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {day(last)}"
    if first.year == last.year:
        return f"{first.day} {first:%B} to {day(last)}"
    return f"{day(first)} to {day(last)}"


def moment(at: datetime) -> str:
    at = at.astimezone(UTC)
    return f"{day(at)} at {at:%H:%M} UTC"


def clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S}"
