"""What a display shows of a job, a transfer and a retry. The base class shows nothing."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Self

from downloads_client import formatting
from downloads_client.kinds import kind_named
from downloads_client.progress.view import ProgressView, left_text, sizes_text, speed_text
from downloads_client.service_responses import JobResponse
from downloads_client.speed import SpeedMeter


class ProgressDisplay:
    """Shows nothing; the base of the other displays. A context manager that closes the display."""

    is_interactive = False  # True if a person watches the progress

    def __init__(self) -> None:
        self._view = ProgressView("Asking", 0, "")
        self._meter = SpeedMeter(0, time.monotonic())
        self._metered_phase: tuple[object, ...] = ()

    def print_line(self, line: str) -> None:
        """Print a permanent line."""

    def finish(self, line: str) -> None:
        """End a phase: remove the bar and print the line."""
        self.close()
        self.print_line(line)

    def show_job(self, job: JobResponse) -> None:
        if job.is_waiting:
            note = formatting.format_waiting(job.depends_on_count, job.starts_at)
            self._show(ProgressView("Waiting", None, "", note=note))
            return
        measured, left = self._measure(("making", job.attempt), job.done, job.total)
        speed = job.speed or measured
        # While nothing moves only the service, which knows the queue, has an estimate.
        left = job.seconds_left if left is None else left
        self._show(
            ProgressView(
                phase=kind_named(job.kind).running,
                share=None if job.total is None else job.progress,
                sizes=sizes_text(job),
                speed=speed_text(speed) if job.unit == "bytes" else "",
                connections=formatting.format_connections(job.threads) if job.threads else "",
                left=left_text(left),
                note=f"{job.message}: {job.error}" if job.error else job.message,
            )
        )

    def show_transfer(self, done: int, total: int, phase: str = "Fetching") -> None:
        speed, left = self._measure((phase, total), done, total)
        share = done / total if total else 1.0
        sizes = formatting.format_amount(done, total)
        self._show(
            ProgressView(phase, min(share, 1.0), sizes, speed_text(speed), left=left_text(left))
        )

    def show_retry(self, reason: str, seconds: float) -> None:
        """Show that a failed operation is tried again after `seconds`."""
        again = (
            f"Retrying in {formatting.format_duration(seconds)}: {reason}"  # the end may not fit
        )
        self._show(replace(self._view, speed="", connections="", left="", note=again))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the bar. Idempotent."""

    def _show(self, view: ProgressView) -> None:
        self._view = view

    def _measure(
        self, phase: tuple[object, ...], done: int, total: int | None
    ) -> tuple[float | None, float | None]:
        """Return the speed and the seconds left, measured since this phase began."""
        now = time.monotonic()
        if phase != self._metered_phase:
            self._metered_phase, self._meter = phase, SpeedMeter(done, now)
        self._meter.update(done, now)
        speed = self._meter.per_second
        left = None if total is None else self._meter.seconds_left(max(total - done, 0))
        return speed, left
