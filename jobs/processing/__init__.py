"""Smaller pictures, the text, a preview: what is made from an uploaded file.

A stranger's file is read in a helper process alone, which has no secrets, no network and little
memory, and may die of it. Knows no database, web or store; called by a builder, with files on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from jobs.processing.keeper import Keeper
from jobs.processing.lines import Said
from jobs.processing.makers import MAKERS
from jobs.processing.outcome import Limits, Made, Outcome

__all__ = ["Limits", "Made", "Outcome", "can_process", "process"]

FOR_EVER = 10**6  # seconds: the keeper tells in time that it is too long


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
        while isinstance(told := keeper.told.get(timeout_seconds=FOR_EVER), Said):
            say(told.message)
    finally:
        keeper.stop()
    if isinstance(told, BaseException):
        raise told
    return told
