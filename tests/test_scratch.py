"""Temporary folders of attempts, with processes that remove those of dead ones."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest

from jobs.lib.scratch import PREFIX, Scratch


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_next_folder_removes_those_of_dead_processes(folders: Path) -> None:
    orphan = folders / f"{PREFIX}dead"
    (orphan / "made").mkdir(parents=True)
    used = Scratch()

    Scratch().remove()

    assert not orphan.exists()
    assert used.folder.exists()
    used.remove()
    assert list(folders.iterdir()) == []


def test_each_folder_has_one_owner(folders: Path) -> None:
    one, other = Scratch(), Scratch()

    assert one.folder != other.folder
    assert {stat.S_IMODE(each.folder.stat().st_mode) for each in (one, other)} == {0o700}
    one.remove()
    other.remove()


@pytest.mark.parametrize("moment", ["before it is opened", "before it is locked"])
def test_a_folder_removed_before_it_was_locked_is_replaced(
    moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name = (os, "open") if moment == "before it is opened" else (fcntl, "flock")
    real, raced = getattr(module, name), []

    def race(*args: Any, **more: Any) -> Any:
        """Another process removes the first folder at this moment."""
        if not raced:
            raced.extend(Path(tempfile.gettempdir()).iterdir())
            shutil.rmtree(raced[0])
        return real(*args, **more)

    monkeypatch.setattr(module, name, race)
    scratch = Scratch()

    assert scratch.folder.is_dir()
    assert scratch.folder != raced[0]
    scratch.remove()
