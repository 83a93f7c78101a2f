"""An uploaded file on disk, and its previews."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from jobs.kinds.upload.previews import PreviewLimits, PreviewResult
from jobs.kinds.upload.previews.preview_maker import make_previews

Process = Callable[..., PreviewResult]


def left_behind(folder: Path) -> list[str]:
    """Return the processes that still use the folder after a second, and unreaped zombies.

    Processes that a helper started are killed with it, but this process cannot wait for them.
    """
    ends = time.monotonic() + 1
    while (found := working_in(folder)) and time.monotonic() < ends:
        time.sleep(0.01)
    return found


def working_in(folder: Path) -> list[str]:
    """Return the names of processes that use the folder, and of zombies of this process."""
    found = []
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            is_zombie = each.status() == psutil.STATUS_ZOMBIE
            if (is_zombie and each.ppid() == os.getpid()) or (
                not is_zombie and _works_in(folder, each)
            ):
                found.append(each.name())
    return found


def _works_in(folder: Path, process: psutil.Process) -> bool:
    """Return True if its working directory, or a folder in its arguments, is the folder."""
    try:
        return process.cwd() == str(folder)
    except psutil.AccessDenied:
        return any(json.dumps(str(folder)) in word for word in process.cmdline())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder for previews; the uploaded file is elsewhere."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def messages() -> list[str]:
    """Return the list of progress messages."""
    return []


@pytest.fixture
def make(tmp_path: Path, folder: Path, messages: list[str]) -> Process:
    def make(content: bytes, content_type: str, **limits: int) -> PreviewResult:
        source = tmp_path / "uploaded"
        source.write_bytes(content)
        return make_previews(
            source, content_type, folder, limits=PreviewLimits(**limits), say=messages.append
        )

    return make
