"""Progress as a bar, for a terminal."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from downloads_client.progress.display import ProgressDisplay
from downloads_client.progress.view import ProgressView, fit_view_columns

FRAMES_A_SECOND = 8
ECHO_COLUMNS = 3  # free for the terminal's `^C`, which would otherwise wrap and spoil the bar
SHORTEST_BAR = 10  # columns; text that leaves less is omitted


class BarDisplay(ProgressDisplay):
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

    def _show(self, view: ProgressView) -> None:
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
        columns = fit_view_columns(view, width - len(view.phase) - SHORTEST_BAR - 2)
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
