"""Progress display of a download: a bar, lines, or nothing."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from downloads_client import formatting
from downloads_client.responses import Job
from downloads_client.speed import SpeedMeter

LINE_SECONDS = 1.0  # between two lines
FRAMES_A_SECOND = 8
ECHO_COLUMNS = 3  # free for the terminal's `^C`, which would otherwise wrap and spoil the bar
SHORTEST_BAR = 10  # columns; text that leaves less is omitted


def display_for(stream: TextIO, *, quiet: bool) -> Display:
    """Return a bar for a terminal, lines for a pipe or a file, nothing with `quiet`."""
    if quiet:
        return Display()
    if not stream.isatty() or Console(file=stream, force_terminal=True).is_dumb_terminal:
        return LineDisplay(stream)
    return BarDisplay(stream)


@dataclass(frozen=True)
class View:
    """The texts of one update. `share` is None if the total is unknown; `sizes` may be empty."""

    phase: str
    share: float | None
    sizes: str
    speed: str = ""
    connections: str = ""
    left: str = ""
    note: str = ""

    @property
    def percent(self) -> str:
        """Rounded down: 100% only when everything is there."""
        return "" if self.share is None else f"{int(self.share * 100):3}%"

    @property
    def digits(self) -> str:
        """The first two digits of the amount. Without a total, a line is due when they change."""
        return self.sizes.replace(".", "")[:2]

    @property
    def columns(self) -> list[str]:
        return [self.percent, self.sizes, self.speed, self.connections, self.left]


class Display:
    """Shows nothing; the base of the other displays. A context manager that closes the display."""

    is_interactive = False  # True if a person watches the progress

    def __init__(self) -> None:
        self._view = View("Asking", 0, "")
        self._meter = SpeedMeter(0, time.monotonic())
        self._metered_phase: tuple[object, ...] = ()

    def print_line(self, line: str) -> None:
        """Print a permanent line."""

    def finish(self, line: str) -> None:
        """End a phase: remove the bar and print the line."""
        self.close()
        self.print_line(line)

    def show_job(self, job: Job) -> None:
        if job.is_waiting:
            note = formatting.waiting(job.depends_on_count, job.starts_at)
            self._show(View("Waiting", None, "", note=note))
            return
        measured, left = self._measure(("making", job.attempt), job.done, job.total)
        speed = job.speed or measured
        # While nothing moves only the service, which knows the queue, has an estimate.
        left = job.seconds_left if left is None else left
        self._show(
            View(
                phase=formatting.PHASES.get(job.kind, formatting.OTHER_PHASES)[0],
                share=None if job.total is None else job.progress,
                sizes=sizes_text(job),
                speed=speed_text(speed) if job.unit == "bytes" else "",
                connections=formatting.connections(job.threads) if job.threads else "",
                left=left_text(left),
                note=f"{job.message}: {job.error}" if job.error else job.message,
            )
        )

    def show_transfer(self, done: int, total: int) -> None:
        speed, left = self._measure(("fetching",), done, total)
        share = done / total if total else 1.0
        sizes = formatting.size_of(done, total)
        self._show(
            View("Fetching", min(share, 1.0), sizes, speed_text(speed), left=left_text(left))
        )

    def show_retry(self, reason: str, seconds: float) -> None:
        """Show that a failed operation is tried again after `seconds`."""
        again = f"Retrying in {formatting.duration(seconds)}: {reason}"  # the end may not fit
        self._show(replace(self._view, speed="", connections="", left="", note=again))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the bar. Idempotent."""

    def _show(self, view: View) -> None:
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


def sizes_text(job: Job) -> str:
    """Return the sizes, or nothing before the work begins: the unit is not known then."""
    begun = job.done or job.total is not None
    return formatting.size_of(job.done, job.total, job.unit) if begun else ""


def speed_text(speed: float | None) -> str:
    return f"{formatting.size(speed)}/s" if speed else ""


def left_text(seconds: float | None) -> str:
    return f"{formatting.clock(seconds)} left" if seconds is not None else ""


class LineDisplay(Display):
    """For logs and pipes: a line at most every second, and only if something changed."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._last_line: tuple[str, ...] = ()
        self._last_line_at = -LINE_SECONDS

    def print_line(self, line: str) -> None:
        with suppress(OSError, ValueError):  # the reader closed the pipe; the download goes on
            self._stream.write(line + "\n")
            self._stream.flush()

    def show_retry(self, reason: str, seconds: float) -> None:
        if self._last_line != (reason,):
            self._last_line = (reason,)
            self.print_line(f"{reason} Retrying...")

    def _show(self, view: View) -> None:
        super()._show(view)
        now, line = time.monotonic(), (view.phase, view.percent or view.digits or view.note)
        if line != self._last_line and now - self._last_line_at >= LINE_SECONDS:
            self._last_line, self._last_line_at = line, now
            self.print_line("  ".join([view.phase, *filter(None, [*view.columns, view.note])]))


class BarDisplay(Display):
    """A bar redrawn in place. `print_line` prints above it, `close` removes it."""

    is_interactive = True

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._console = Console(
            file=stream, force_terminal=True, highlight=False, markup=False, emoji=False
        )
        self._live: Live | None = None

    def print_line(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)  # one line to copy, however long

    def close(self) -> None:
        if self._live:
            try:
                self._live.stop()
            finally:
                self._console.show_cursor()  # also after a second Ctrl-C meanwhile
                self._live = None

    def _show(self, view: View) -> None:
        super()._show(view)
        if not self._live:
            self._live = Live(
                get_renderable=self._render,
                console=self._console,
                refresh_per_second=FRAMES_A_SECOND,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def _render(self) -> RenderableType:
        view, width = self._view, self._console.width - ECHO_COLUMNS
        columns = fit_columns(view, width - len(view.phase) - SHORTEST_BAR - 2)
        line = Table.grid(padding=(0, 1), expand=True)
        line.width = width
        for n in range(2 + len(columns)):
            line.add_column(no_wrap=True, ratio=1 if n == 1 else None)
        is_indeterminate = view.share is None and view.sizes
        bar = ProgressBar(
            None if is_indeterminate else 1.0,
            view.share or 0.0,
            complete_style="cyan",
            finished_style="green",
            pulse_style="cyan",
        )
        line.add_row(view.phase, bar, *columns)
        if not view.note:
            return line
        note = Text(view.note, style="dim", no_wrap=True)
        note.truncate(width, overflow="ellipsis")
        return Group(line, note)


def fit_columns(view: View, width: int) -> list[str]:
    """Return the columns that fit, in their order; the least important are left out first."""
    chosen = [view.percent or view.sizes]
    for column in (view.left, view.sizes, view.speed, view.connections):
        if column and column not in chosen and len(" ".join([*chosen, column])) <= width:
            chosen.append(column)
    return [column for column in view.columns if column and column in chosen]
