"""Progress as lines, for logs and pipes."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TextIO

from downloads_client.progress.display import ProgressDisplay
from downloads_client.progress.view import ProgressView

LINE_SECONDS = 1.0  # between two lines


class LineDisplay(ProgressDisplay):
    """Prints a line at most every second, and only if something changed."""

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

    def _show(self, view: ProgressView) -> None:
        super()._show(view)
        now, line = time.monotonic(), (view.phase, view.percent or view.digits or view.note)
        if line != self._last_line and now - self._last_line_at >= LINE_SECONDS:
            self._last_line, self._last_line_at = line, now
            self.print_line("  ".join([view.phase, *filter(None, [*view.columns, view.note])]))
