"""Interrupted processing ends the helper and its ffmpeg at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from jobs.errors import Interrupted
from jobs.kinds.upload.previews import PreviewLimits, helper_process
from jobs.kinds.upload.previews.helper_process import ROOT
from jobs.kinds.upload.previews.helper_protocol import HelperTask
from jobs.kinds.upload.previews.preview_maker import make_previews
from tests.processing.conftest import Process, left_behind, working_in
from tests.processing.hostile import video

PDF = "application/pdf"
PARENT = """
import sys
from pathlib import Path
from jobs.kinds.upload.previews import (PreviewLimits, helper_process)
from jobs.kinds.upload.previews.preview_maker import make_previews
helper_process.HELPER = "tests.processing.misbehaving"
source, folder = map(Path, sys.argv[1:])
make_previews(source, "application/pdf", folder, limits=PreviewLimits(), say=print)
"""


AGAIN_SECONDS = 0.25


def wait_until(is_so: Callable[[], object], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends, "too late"
        threading.Event().wait(0.01)


@pytest.fixture
def alarm() -> Iterator[None]:
    """An alarm that interrupts, as the heartbeat of an attempt does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted(timed_out=False)

    before = signal.signal(signal.SIGALRM, interrupt)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def sleeps(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[float], None]:
    """Return a function that processes a file with a helper that sleeps for minutes."""
    monkeypatch.setattr(helper_process, "HELPER", "tests.processing.misbehaving")
    source = tmp_path / "uploaded"
    source.write_text("sleeps")

    def start(alarm_after_seconds: float) -> None:
        # Repeated, as by a heartbeat: a destructor may swallow an interruption.
        signal.setitimer(signal.ITIMER_REAL, alarm_after_seconds, AGAIN_SECONDS)
        try:
            make_previews(source, PDF, folder, limits=PreviewLimits(wall_seconds=20), say=print)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    return start


@pytest.mark.parametrize("after_seconds", [0.0005, 0.002, 0.01, 0.05, 0.2, 0.5])
def test_an_interrupted_helper_is_killed_and_reaped(
    alarm: None, after_seconds: float, sleeps: Callable[[float], None], folder: Path
) -> None:
    began = time.monotonic()

    with pytest.raises(Interrupted):
        sleeps(after_seconds)

    assert time.monotonic() - began < after_seconds + 10
    wait_until(lambda: not left_behind(folder), seconds=10)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_interruption_is_missed(
    alarm: None, sleeps: Callable[[float], None], folder: Path
) -> None:
    """An interruption just before the wait was once missed, in one of a hundred cases."""
    slowest = 0.0

    for microseconds in range(100, 6_000, 100):
        began = time.monotonic()
        with pytest.raises(Interrupted):
            sleeps(microseconds / 1e6)
        slowest = max(slowest, time.monotonic() - began)

    assert slowest < 10
    wait_until(lambda: not left_behind(folder), seconds=10)


def test_ffmpeg_is_killed_with_it(
    alarm: None, make: Process, folder: Path, messages: list[str]
) -> None:
    content = video("film.mp4", "-preset", "ultrafast", size="1280x720", seconds=10)
    seen: list[str] = []

    def look() -> None:
        wait_until(lambda: "ffmpeg" in working_in(folder), 20)
        seen.append("ffmpeg")
        os.kill(os.getpid(), signal.SIGALRM)

    looking = threading.Thread(target=look)
    looking.start()
    with pytest.raises(Interrupted):
        make(content, "video/mp4")
    looking.join()

    assert seen
    wait_until(lambda: not left_behind(folder), seconds=10)


def test_a_helper_ends_with_its_killed_parent(tmp_path: Path, folder: Path) -> None:
    source = tmp_path / "uploaded"
    source.write_text("sleeps")
    parent = subprocess.Popen([sys.executable, "-c", PARENT, source, folder], cwd=ROOT)
    try:
        wait_until(lambda: left_behind(folder), seconds=20)
    finally:
        parent.kill()
        parent.wait()

    wait_until(lambda: not left_behind(folder), seconds=10)


def test_a_helper_whose_parent_ended_before_its_start_ends(tmp_path: Path) -> None:
    task = HelperTask(str(tmp_path), PDF, str(tmp_path), PreviewLimits(), parent=1 << 22)

    ended = subprocess.run(
        [sys.executable, "-m", "jobs.kinds.upload.previews.helper", task.to_json()],
        cwd=ROOT,
        capture_output=True,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (1, b"", b"")
