"""The progress of a download, on stderr: a bar, lines, or nothing."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console

from downloads_client.progress.bar import BarDisplay
from downloads_client.progress.display import ProgressDisplay
from downloads_client.progress.lines import LineDisplay

__all__ = ["BarDisplay", "LineDisplay", "ProgressDisplay", "display_for"]


def display_for(stream: TextIO, *, quiet: bool) -> ProgressDisplay:
    """Return a bar for a terminal, lines for a pipe or a file, nothing with `quiet`."""
    if quiet:
        return ProgressDisplay()
    if not stream.isatty() or Console(file=stream, force_terminal=True).is_dumb_terminal:
        return LineDisplay(stream)
    return BarDisplay(stream)
