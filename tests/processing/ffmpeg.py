"""Find ffmpeg for tests. As a program, install it if possible."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.debian import install

IS_REQUIRED = "REQUIRE_FFMPEG"  # set in .ci/run: tests fail without ffmpeg, not skipped


def needed() -> None:
    """Skip the test if there is no ffmpeg, or fail if it is required."""
    if not _is_there():
        give_up = pytest.fail if os.environ.get(IS_REQUIRED) else pytest.skip
        give_up("no ffmpeg on this machine")


def film(path: Path, *options: str, size: str = "320x180", seconds: float = 1) -> Path:
    """Create a moving test pattern with a tone, in the format of the file name."""
    needed()
    card = f"testsrc=size={size}:rate=25:duration={seconds}"
    tone = f"sine=duration={seconds}"
    sources = ["-f", "lavfi", "-i", card, "-f", "lavfi", "-i", tone]
    subprocess.run(["ffmpeg", "-loglevel", "error", *sources, *options, str(path)], check=True)
    return path


def main() -> None:
    if not _is_there() and not install("ffmpeg"):
        print("The tests of videos are skipped without ffmpeg. Install Debian's ffmpeg.")


def _is_there() -> bool:
    return bool(shutil.which("ffmpeg") and shutil.which("ffprobe"))


if __name__ == "__main__":
    main()
