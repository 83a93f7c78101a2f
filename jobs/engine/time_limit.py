"""The time limit of one attempt. It grows with the work, so that large files can finish."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

HOUR, MINUTE = 3600, 60


@dataclass(frozen=True)
class TimeLimit:
    """`base_seconds`, plus one second for each `min_speed` units of work, up to `max_seconds`.

    The work is the job's total if `trusts_total`. Otherwise it is what was done so far: a remote
    server might claim any size, and then send almost nothing.
    """

    base_seconds: int
    min_speed: int  # units a second
    max_seconds: int
    trusts_total: bool = True

    def seconds(self, *, total: int | None, done: int) -> int:
        """Return the limit in seconds."""
        work = max(done, total or 0) if self.trusts_total else done
        return min(self.base_seconds + work // self.min_speed, self.max_seconds)

    def extra_seconds(self, work: int) -> int:
        """Return what so much work adds to `base_seconds`."""
        return min(work // self.min_speed, max(self.max_seconds - self.base_seconds, 0))

    def kill_after_seconds(self, total: int | None) -> int:
        """Return when the process is killed: later than any attempt's own limit."""
        is_known = self.trusts_total and total is not None
        limit = self.seconds(total=total, done=0) if is_known else self.max_seconds
        return limit + int(settings.KILL_AFTER_SECONDS)


def time_limit_text(seconds: int) -> str:
    """Return a duration such as '90 seconds', '5 minutes' or '28 hours'."""
    if seconds >= 3 * HOUR:
        return f"{round(seconds / HOUR)} hours"
    if seconds < 10 * MINUTE and seconds % MINUTE:
        return f"{seconds} seconds"
    return f"{round(seconds / MINUTE)} minutes"
