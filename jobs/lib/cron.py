"""Cron lines: when they are due next, what they mean, and what is wrong with them.

Times are those of a time zone's clocks. When these change, it is as in Debian's cron: a time that
is skipped is due when the gap ends, and a time that comes twice is due the first time. Lines with
`*` in the minute or the hour keep their pace instead, such as every ten minutes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

MAX_CRON_CHARS = 200
MIN_MINUTES = 5  # between two times, so that a mistyped line does not fill the queue
SHORTHANDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
# In the order of a line: the name of each field, and its smallest and largest number.
FIELDS = [
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of month", 1, 31),
    ("month", 1, 12),
    ("day of week", 0, 7),
]
ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class CronError(ValueError):
    """What is wrong with a cron line, in a sentence."""


def validated_cron(line: str) -> str:
    """Return the line with single spaces and no shorthand. Raises CronError."""
    line = SHORTHANDS.get(line.strip().lower(), line)
    parts = line.upper().split()
    if len(parts) != len(FIELDS):
        raise CronError("Use five fields: minute, hour, day of month, month and day of week.")
    for n, part in enumerate(parts):
        _check_field(n, part)
    line = " ".join(parts)
    try:
        times = CronSim(line, ANY_TIME)
        next(times)
    except (CronSimError, StopIteration) as error:
        raise CronError("No date matches this line.") from error
    _check_interval(sorted(times.minutes), len(times.hours))
    return line


def _check_field(n: int, part: str) -> None:
    """Raises CronError, with the number that is out of range if it is one."""
    name, least, most = FIELDS[n]
    others = ["*"] * len(FIELDS)
    others[n] = part
    try:
        CronSim(" ".join(others), ANY_TIME)
    except CronSimError as error:
        for number in re.findall(r"(?<![/#\d])\d+", part):
            if not least <= int(number) <= most:
                raise CronError(f"{name} {number[:20]} is not in {least}-{most}.") from error
        raise CronError(f"{name} {part[:20]!r} is not valid.") from error


def _check_interval(minutes: list[int], hours: int) -> None:
    following = [*minutes, minutes[0] + 60] if hours > 1 else minutes
    if any(later - earlier < MIN_MINUTES for earlier, later in pairwise(following)):
        raise CronError(f"Leave at least {MIN_MINUTES} minutes between two runs.")


def next_cron_time(line: str, time_zone: str, after: datetime) -> datetime | None:
    """Return the first time after `after` in UTC. None if there is none in 50 years."""
    try:
        for time in CronSim(line, after.astimezone(ZoneInfo(time_zone))):
            if (
                found := time.astimezone(UTC)
            ) > after:  # earlier: the first of an hour that repeats
                return found
    except (CronSimError, LookupError):  # a time zone that the time zone data no longer has
        pass
    return None


def cron_text(line: str) -> str:
    """Return 'At 08:30 on Monday through Friday'."""
    return CronSim(line, ANY_TIME).explain()


def time_zones() -> tuple[str, ...]:
    """Return the names that people choose from: 'UTC', 'Europe/Berlin'."""
    names = (name for name in _zone_names() if "/" in name and not name.startswith("Etc/"))
    return ("UTC", *sorted(names))


def is_time_zone(name: str) -> bool:
    return name in _zone_names()


@cache  # reading them takes a walk through the folders of the time zone data
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones()) - {"Factory", "localtime"}
