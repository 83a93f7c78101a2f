"""Files made to crash, flood or deceive their reader end soon, with a clear error."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from jobs.errors import ProcessingError
from tests.processing import ffmpeg
from tests.processing.conftest import Process, left_behind
from tests.processing.hostile import HOSTILE, MADE, SCRIPT

SECONDS = {"cpu_seconds": 3, "wall_seconds": 12, "video_times": 1}


@pytest.mark.parametrize("name", HOSTILE)
def test_each_ends_soon_with_a_clear_error(name: str, make: Process, folder: Path) -> None:
    hostile = HOSTILE[name]
    if hostile.needs_ffmpeg:
        ffmpeg.needed()
    content = hostile.make()
    began = time.monotonic()

    try:
        result = make(content, hostile.content_type, **SECONDS)
        ended = MADE
    except ProcessingError as error:
        ended = error.code

    assert ended == hostile.ends
    assert time.monotonic() - began < 40
    assert not left_behind(folder)
    if ended == MADE:
        assert all(SCRIPT not in each.path.read_bytes() for each in result.previews)
