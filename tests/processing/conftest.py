"""An uploaded file on disk, and what is made of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from jobs.processing import Limits, Outcome, process

Process = Callable[..., Outcome]


def left_behind(folder: Path) -> list[psutil.Process]:
    """Who works there still, and who died and was not reaped by us."""
    found = []
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            is_zombie = each.status() == psutil.STATUS_ZOMBIE
            if (is_zombie and each.ppid() == os.getpid()) or (
                not is_zombie and each.cwd() == str(folder)
            ):
                found.append(each)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where things are made; the uploaded file is elsewhere."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def said() -> list[str]:
    """How it goes."""
    return []


@pytest.fixture
def make(tmp_path: Path, folder: Path, said: list[str]) -> Process:
    def make(content: bytes, content_type: str, **limits: int) -> Outcome:
        source = tmp_path / "uploaded"
        source.write_bytes(content)
        return process(source, content_type, folder, limits=Limits(**limits), say=said.append)

    return make
