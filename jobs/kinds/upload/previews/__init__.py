"""Smaller pictures, the text, a preview: what is made from an uploaded file.

A stranger's file is read in a helper process alone, which has no secrets, no network and little
memory, and may die of it. Knows no database, web or store; called by a builder, with files on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING

from jobs.kinds.upload.previews.outcome import Limits, Made, Outcome, skipped
from jobs.kinds.upload.previews.preview_types import MAKERS
from jobs.kinds.upload.previews.protocol import Said
from jobs.kinds.upload.previews.sandbox import LAYERS, missing_layers

if TYPE_CHECKING:
    from jobs.kinds.upload.previews.helper_process import Keeper

__all__ = [
    "LAYERS",
    "Limits",
    "Made",
    "Outcome",
    "can_process",
    "missing_layers",
    "process",
    "skipped",
]

LOOK_UP_SECONDS = 0.1


def can_process(content_type: str) -> bool:
    return content_type in MAKERS


def process(
    source: Path,
    content_type: str,
    folder: Path,
    *,
    limits: Limits,
    say: Callable[[str], None],
) -> Outcome:
    """Make what is made of such a file, in `folder`; `say` hears how it goes, in this thread.

    Raises a ProcessingError over the file, and Unexpected if there is no helper to be had. However
    it ends, no process is left behind; files in `folder` may be.
    """
    from jobs.kinds.upload.previews.helper_process import Keeper

    maker = MAKERS[content_type]
    if maker.is_patient:
        limits = replace(
            limits,
            cpu_seconds=limits.cpu_seconds * limits.video_times,
            wall_seconds=limits.wall_seconds * limits.video_times,
        )
    keeper = Keeper(source, content_type, folder, maker, limits)
    try:
        keeper.start()
        while isinstance(told := _next(keeper), Said):
            say(told.message)
    finally:
        keeper.stop()
    if isinstance(told, BaseException):
        raise told
    return told


def _next(keeper: Keeper) -> Said | Outcome | BaseException:
    """What it tells next; in the end it tells that its time is over."""
    while True:
        # A signal that comes just before the waiting begins is heard only when that ends.
        with suppress(Empty):
            return keeper.told.get(timeout_seconds=LOOK_UP_SECONDS)
