"""Temporary folders on this machine's disk, each for one attempt."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

PREFIX = "downloads-scratch-"


class Scratch:
    """A folder that exists until `remove`. The next one removes those of processes that died."""

    def __init__(self) -> None:
        _remove_orphans()
        while not (locked := _locked(Path(tempfile.mkdtemp(prefix=PREFIX)))):
            pass  # another process removed it before it was locked
        self.folder, self._lock = locked

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


def _locked(folder: Path) -> tuple[Path, int] | None:
    """Lock the folder; None if it is gone. The kernel releases the lock when this process ends."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return None
    fcntl.flock(handle, fcntl.LOCK_EX)
    if folder.exists():
        return folder, handle
    os.close(handle)
    return None


def _remove_orphans() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another user's, or just removed
            _remove_if_orphaned(folder)


def _remove_if_orphaned(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: it is in use
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)
