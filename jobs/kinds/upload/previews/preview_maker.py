"""Create the previews of one file, in a helper process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING

from jobs.kinds.upload.previews.helper_protocol import Progress
from jobs.kinds.upload.previews.preview_result import (
    PreviewLimits,
    PreviewResult,
)
from jobs.kinds.upload.previews.preview_types import PREVIEW_TYPES

if TYPE_CHECKING:
    from jobs.kinds.upload.previews.helper_process import HelperProcess

WAIT_SECONDS = 0.1


def has_previews(content_type: str) -> bool:
    """Return True if previews are created of files of this type."""
    return content_type in PREVIEW_TYPES


def make_previews(
    source: Path,
    content_type: str,
    folder: Path,
    *,
    limits: PreviewLimits,
    say: Callable[[str], None],
) -> PreviewResult:
    """Create the previews in `folder`. `say` is called with progress messages, in this thread.

    Raises a ProcessingError because of the file, and Unexpected if the helper cannot start. Leaves
    no process behind in any case; files in `folder` may be left.
    """
    from jobs.kinds.upload.previews.helper_process import HelperProcess

    preview_type = PREVIEW_TYPES[content_type]
    if preview_type.is_slow:
        limits = replace(
            limits,
            cpu_seconds=limits.cpu_seconds * limits.video_times,
            wall_seconds=limits.wall_seconds * limits.video_times,
        )
    helper = HelperProcess(source, content_type, folder, preview_type, limits)
    try:
        helper.start()
        while isinstance(event := _next_event(helper), Progress):
            say(event.message)
    finally:
        helper.stop()
    if isinstance(event, BaseException):
        raise event
    return event


def _next_event(helper: HelperProcess) -> Progress | PreviewResult | BaseException:
    """Wait for the next event. It always comes: the helper has a time limit."""
    while True:
        # A signal that arrives just before the wait is handled only when the wait ends.
        with suppress(Empty):
            return helper.events.get(timeout_seconds=WAIT_SECONDS)
