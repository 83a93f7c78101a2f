"""Finds ffmpeg for tests. As a program, installs it if possible."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.debian import install

IS_REQUIRED = "REQUIRE_FFMPEG"  # set where a test that is skipped would be a hole, as in .ci/run


def needed() -> None:
    """Skip the test without ffmpeg, or fail if it is required."""
    if not _is_there():
        give_up = pytest.fail if os.environ.get(IS_REQUIRED) else pytest.skip
        give_up("no ffmpeg on this machine")


def film(path: Path, *options: str, size: str = "320x180", seconds: float = 1) -> Path:
    """Create a moving test card with a tone, in the format of the file name."""
    needed()
    card = f"testsrc=size={size}:rate=25:duration={seconds}"
    tone = f"sine=duration={seconds}"
    sources = ["-f", "lavfi", "-i", card, "-f", "lavfi", "-i", tone]
    subprocess.run(["ffmpeg", "-loglevel", "error", *sources, *options, str(path)], check=True)
    return path


def main() -> None:
    if not _is_there() and not install("ffmpeg"):
        print("Without ffmpeg the tests of videos are skipped: install Debian's ffmpeg.")


def _is_there() -> bool:
    return bool(shutil.which("ffmpeg") and shutil.which("ffprobe"))


if __name__ == "__main__":
    main()
