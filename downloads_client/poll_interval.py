"""How long to leave a job alone between two looks at it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from downloads_client.responses import Job

FIRST_SECONDS = 0.25  # a small bundle is ready at once
USUAL_SECONDS = 1.0
YOUNG_SECONDS = 60
LONGEST_SECONDS = 60.0  # it may be cancelled, and clocks differ


class Looks:
    """`watched` says whether somebody waits for each movement."""

    def __init__(self, *, watched: bool) -> None:
        self._watched = watched
        self._began = time.monotonic()
        self._shortest = FIRST_SECONDS

    def seconds_until_next(self, job: Job) -> float:
        """A program waits as long as it is told, and a job that has not begun moves for nobody.

        Somebody who looks at a bar sees it move, at first: that is 60 polls a minute of the 600
        that one may make.
        """
        if job.is_waiting:
            ahead = seconds_until(job.starts_at)
            self._begin(ahead)
            return max(job.poll_seconds, ahead)
        if not self._watched or self.seconds > YOUNG_SECONDS:
            return job.poll_seconds
        shortest, self._shortest = self._shortest, min(self._shortest * 2, USUAL_SECONDS)
        return min(shortest, job.poll_seconds)

    @property
    def seconds(self) -> float:
        """Since the first look; where it had to wait, since it could begin."""
        return max(time.monotonic() - self._began, 0)

    def _begin(self, ahead_seconds: float = 0) -> None:
        self._began = time.monotonic() + ahead_seconds
        self._shortest = FIRST_SECONDS


def seconds_until(at: datetime | None) -> float:
    """At most a minute."""
    ahead = (at - datetime.now(UTC)).total_seconds() if at else 0
    return min(max(ahead, 0), LONGEST_SECONDS)
