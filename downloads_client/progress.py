"""What somebody sees while a download is made and fetched: a bar, lines, or nothing."""

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
from downloads_client.speed import Pace

LINE_SECONDS = 1.0  # between two lines, and only where the whole percent is another
FRAMES_A_SECOND = 8
ECHO_COLUMNS = 3  # for the `^C` of a terminal: in the next line it would spoil what is drawn
SHORTEST_BAR = 10  # what does not fit beside it is left out, the least important first


def display(stream: TextIO, *, quiet: bool) -> Display:
    """The one that suits where `stream` leads."""
    if quiet:
        return Display()
    if not stream.isatty() or Console(file=stream, force_terminal=True).is_dumb_terminal:
        return Lines(stream)
    return Bar(stream)


@dataclass(frozen=True)
class View:
    """A moment of one phase, in words. `share` is None where nobody knows how much there is.

    `sizes` are empty where there is nothing yet, nobody knows of how much.
    """

    phase: str
    share: float | None
    sizes: str
    speed: str = ""
    connections: str = ""
    left: str = ""
    note: str = ""

    @property
    def percent(self) -> str:
        """100 only when all is there."""
        return "" if self.share is None else f"{int(self.share * 100):3}%"

    @property
    def digits(self) -> str:
        """The first two of the amount: of an unknown whole, more is news once they are others."""
        return self.sizes.replace(".", "")[:2]

    @property
    def pieces(self) -> list[str]:
        return [self.percent, self.sizes, self.speed, self.connections, self.left]


class Display:
    """Shows nothing, and is what the others have in common. A context: nothing is left drawn."""

    watched = False  # whether somebody waits for each movement

    def __init__(self) -> None:
        self._view = View("Asking", 0, "")
        self._pace = Pace(0, time.monotonic())
        self._paced: tuple[object, ...] = ()

    def say(self, line: str) -> None:
        """A line that stays."""

    def finish(self, line: str) -> None:
        """A phase is over: `line` takes its place."""
        self.close()
        self.say(line)

    def making(self, job: Job) -> None:
        if job.is_waiting:
            self._show(
                View("Waiting", None, "", note=formatting.waiting(job.others, job.starts_at))
            )
            return
        seen, left = self._seen(("making", job.attempt), job.done, job.total)
        speed = job.speed or seen  # ours is of what we saw since we came
        # The service knows of the queue ahead; what has begun to move is seen here, and sooner.
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

    def fetching(self, done: int, total: int) -> None:
        speed, left = self._seen(("fetching",), done, total)
        share = done / total if total else 1.0
        sizes = formatting.size_of(done, total)
        self._show(
            View("Fetching", min(share, 1.0), sizes, speed_text(speed), left=left_text(left))
        )

    def pausing(self, why: str, seconds: float) -> None:
        """Something does not work and is tried again after so long."""
        again = f"Again in {formatting.duration(seconds)}: {why}"  # the end may not fit
        self._show(replace(self._view, speed="", connections="", left="", note=again))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Twice is well."""

    def _show(self, view: View) -> None:
        self._view = view

    def _seen(
        self, phase: tuple[object, ...], done: int, total: int | None
    ) -> tuple[float | None, float | None]:
        """Speed and seconds left, from what was seen since this phase began."""
        now = time.monotonic()
        if phase != self._paced:
            self._paced, self._pace = phase, Pace(done, now)
        self._pace.note(done, now)
        speed = self._pace.per_second
        left = None if total is None else self._pace.seconds_left(max(total - done, 0))
        return speed, left


def sizes_text(job: Job) -> str:
    """The unit, too, is known only when the work has begun."""
    begun = job.done or job.total is not None
    return formatting.size_of(job.done, job.total, job.unit) if begun else ""


def speed_text(speed: float | None) -> str:
    return f"{formatting.size(speed)}/s" if speed else ""


def left_text(seconds: float | None) -> str:
    return f"{formatting.clock(seconds)} left" if seconds is not None else ""


class Lines(Display):
    """For logs and pipes: a line now and then, when there is news."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._told: tuple[str, ...] = ()
        self._told_at = -LINE_SECONDS

    def say(self, line: str) -> None:
        with suppress(OSError, ValueError):  # nobody reads any more: that stops no download
            self._stream.write(line + "\n")
            self._stream.flush()

    def pausing(self, why: str, seconds: float) -> None:
        if self._told != (why,):
            self._told = (why,)
            self.say(f"{why} Trying again.")

    def _show(self, view: View) -> None:
        super()._show(view)
        now, news = time.monotonic(), (view.phase, view.percent or view.digits or view.note)
        if news != self._told and now - self._told_at >= LINE_SECONDS:
            self._told, self._told_at = news, now
            self.say("  ".join([view.phase, *filter(None, [*view.pieces, view.note])]))


class Bar(Display):
    """For a terminal, drawn again in place; gone when it is closed. `say` writes above it."""

    watched = True

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._console = Console(
            file=stream, force_terminal=True, highlight=False, markup=False, emoji=False
        )
        self._live: Live | None = None

    def say(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)  # one line to copy, however long

    def close(self) -> None:
        if self._live:
            try:
                self._live.stop()
            finally:
                self._console.show_cursor()  # also where a second Ctrl-C came in between
                self._live = None

    def _show(self, view: View) -> None:
        super()._show(view)
        if not self._live:
            self._live = Live(
                get_renderable=self._drawn,
                console=self._console,
                refresh_per_second=FRAMES_A_SECOND,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def _drawn(self) -> RenderableType:
        view, width = self._view, self._console.width - ECHO_COLUMNS
        pieces = fitting(view, width - len(view.phase) - SHORTEST_BAR - 2)
        line = Table.grid(padding=(0, 1), expand=True)
        line.width = width
        for n in range(2 + len(pieces)):
            line.add_column(no_wrap=True, ratio=1 if n == 1 else None)
        pulses = view.share is None and view.sizes
        bar = ProgressBar(
            None if pulses else 1.0,
            view.share or 0.0,
            complete_style="cyan",
            finished_style="green",
            pulse_style="cyan",
        )
        line.add_row(view.phase, bar, *pieces)
        if not view.note:
            return line
        note = Text(view.note, style="dim", no_wrap=True)
        note.truncate(width, overflow="ellipsis")
        return Group(line, note)


def fitting(view: View, width: int) -> list[str]:
    """Percent, sizes, speed and the like in their order; of these the most important that fit."""
    chosen = [view.percent or view.sizes]
    for piece in (view.left, view.sizes, view.speed, view.connections):
        if piece and piece not in chosen and len(" ".join([*chosen, piece])) <= width:
            chosen.append(piece)
    return [piece for piece in view.pieces if piece and piece in chosen]
