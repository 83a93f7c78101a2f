"""Durations, days and times for people. Times are in the server's time zone."""

from __future__ import annotations

from datetime import date, datetime

from django.utils import timezone

from jobs.lib.file_size import NO_BREAK

DAY_SECONDS = 24 * 3600


def duration_text(count: float) -> str:
    """Return '24 s', '3 min', '1 h 5 min' or '30 days'."""
    whole = max(round(count), 1)
    if whole < 60:
        return f"{whole}{NO_BREAK}s"
    if whole >= 2 * DAY_SECONDS:
        return f"{round(whole / DAY_SECONDS)}{NO_BREAK}days"
    minutes = round(whole / 60)
    rest = f" {minutes % 60}{NO_BREAK}min" if minutes % 60 else ""
    return rest.strip() if minutes < 60 else f"{minutes // 60}{NO_BREAK}h{rest}"


def day_text(at: datetime, now: datetime, *, short: bool = False) -> str:
    """Return '21 December', with the year unless it is this year."""
    local = timezone.localtime(at)
    month = f"{local:%b}" if short else f"{local:%B}"
    year = "" if local.year == timezone.localtime(now).year else f" {local.year}"
    return f"{local.day} {month}{year}"


def day_range_text(first: date, last: date) -> str:
    """Return '1 October 2026 to 31 October 2026', or the one day if both are the same."""
    return " to ".join(dict.fromkeys(f"{each.day} {each:%B} {each.year}" for each in (first, last)))


def clock_text(at: datetime, now: datetime) -> str:
    """Return '14:31:58' today, '20 Nov' on another day."""
    return (
        f"{timezone.localtime(at):%H:%M:%S}" if is_today(at, now) else day_text(at, now, short=True)
    )


def moment_text(at: datetime, now: datetime) -> str:
    """Return 'today at 14:31' or '20 November at 14:31'."""
    date = "today" if is_today(at, now) else day_text(at, now)
    return f"{date} at {timezone.localtime(at):%H:%M}"


def start_time_text(at: datetime, now: datetime) -> str:
    """Return what follows "starts": 'today at 14:31' or 'on 24 November at 06:00'."""
    return moment_text(at, now) if is_today(at, now) else f"on {moment_text(at, now)}"


def ago_text(at: datetime, now: datetime) -> str:
    """Return 'just now', '3 min ago', '14:02' or '20 Nov'."""
    age = (now - at).total_seconds()
    if age < 60:
        return "just now"
    if age < 3600:
        return f"{int(age // 60)}{NO_BREAK}min ago"
    return clock_text(at, now)[:-3] if is_today(at, now) else day_text(at, now, short=True)


def added_text(at: datetime, now: datetime) -> str:
    """Return 'today, 14:31' or '20 Nov'."""
    today = f"today, {timezone.localtime(at):%H:%M}"
    return today if is_today(at, now) else day_text(at, now, short=True)


def is_today(at: datetime, now: datetime) -> bool:
    return timezone.localtime(at).date() == timezone.localtime(now).date()
