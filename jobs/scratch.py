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
        while not self._has_folder():
            pass

    def _has_folder(self) -> bool:
        """Not, if another process took it for an orphan before it was locked."""
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        with suppress(FileNotFoundError):
            # The kernel lets go of the lock when this process ends, however it does.
            self._lock = os.open(self.folder, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            if self.folder.exists():
                return True
            os.close(self._lock)
        return False

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


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
