"""How long to wait between two polls of a job."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from downloads_client.service_responses import JobResponse

FIRST_SECONDS = 0.25  # a small bundle is ready at once
USUAL_SECONDS = 1.0
YOUNG_SECONDS = 60
LONGEST_SECONDS = 60.0  # it may be cancelled, and clocks differ


class PollInterval:
    """`is_interactive` polls more often at first, so that a progress bar moves."""

    def __init__(self, *, is_interactive: bool) -> None:
        self._is_interactive = is_interactive
        self._began = time.monotonic()
        self._shortest = FIRST_SECONDS

    def next_seconds(self, job: JobResponse) -> float:
        """Return the seconds to wait before the next poll of `job`.

        The service's Retry-After is obeyed, except for a progress bar during the first minute: that
        is one poll a second, of the 600 a minute that the service allows.
        """
        if job.is_waiting:
            ahead = poll_seconds_until(job.starts_at)
            self._restart(ahead)
            return max(job.poll_seconds, ahead)
        if not self._is_interactive or self.elapsed_seconds > YOUNG_SECONDS:
            return job.poll_seconds
        shortest, self._shortest = self._shortest, min(self._shortest * 2, USUAL_SECONDS)
        return min(shortest, job.poll_seconds)

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since the first poll, or since a job that had to wait could start."""
        return max(time.monotonic() - self._began, 0)

    def _restart(self, ahead_seconds: float) -> None:
        self._began = time.monotonic() + ahead_seconds
        self._shortest = FIRST_SECONDS


def poll_seconds_until(at: datetime | None) -> float:
    """Return the seconds until `at`: 0 if it has passed or is None, at most LONGEST_SECONDS."""
    ahead = (at - datetime.now(UTC)).total_seconds() if at else 0
    return min(max(ahead, 0), LONGEST_SECONDS)
