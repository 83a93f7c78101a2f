"""Folders on this machine's disk for the time of one attempt."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

PREFIX = "downloads-scratch-"


class Scratch:
    """A folder that is there until `remove`; those of processes that died go with the next one."""

    def __init__(self) -> None:
        _remove_orphans()
        while not (locked := _locked(Path(tempfile.mkdtemp(prefix=PREFIX)))):
            pass  # another process found it before it was locked: each finds it once
        self.folder, self._lock = locked

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


def _locked(folder: Path) -> tuple[Path, int] | None:
    """The kernel lets go of the lock when this process ends, however it does."""
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
        with suppress(OSError):  # somebody else's, or just removed
            _remove_if_orphaned(folder)


def _remove_if_orphaned(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: it is in use
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)
