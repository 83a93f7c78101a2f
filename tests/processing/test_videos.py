"""A poster and a clip of a video, made by ffmpeg; without ffmpeg, a note."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from jobs.kinds.upload.previews import PreviewResult
from tests.processing import ffmpeg
from tests.processing.conftest import Process
from tests.processing.hostile import mp4_that_lasts, video

FILMS = {
    "video/mp4": ("film.mp4", []),
    "video/quicktime": ("film.mov", []),
    "video/3gpp": ("film.3gp", ["-c:v", "libx264", "-an"]),
    "video/3gpp2": ("film.3g2", ["-c:v", "libx264", "-an"]),
    "video/webm": ("film.webm", ["-c:v", "libvpx", "-deadline", "realtime"]),
    "video/x-matroska": ("film.mkv", []),
    "video/x-msvideo": ("film.avi", []),
    "video/mpeg": ("film.mpg", []),
    "video/mp2t": ("film.ts", []),
}
STREAMS = {
    "MPEG-1": ("film.m1v", ["-c:v", "mpeg1video", "-f", "mpeg1video"]),
    "MPEG-2": ("film.m2v", ["-c:v", "mpeg2video", "-f", "mpeg2video"]),
    "MPEG-4": ("film.m4v", ["-c:v", "mpeg4", "-f", "m4v"]),
    "H.264": ("film.h264", ["-f", "h264"]),
}


def made(result: PreviewResult, role: str) -> Path:
    (found,) = [each for each in result.previews if each.role == role]
    return found.path


def streams(path: Path) -> list[dict[str, Any]]:
    ask = ["ffprobe", "-loglevel", "error", "-show_streams", "-show_format", "-of", "json", path]
    probe = json.loads(subprocess.run(ask, capture_output=True, check=True).stdout)
    return [stream | {"length": float(probe["format"]["duration"])} for stream in probe["streams"]]


@pytest.mark.parametrize("content_type", FILMS)
def test_each_format_has_a_poster_and_a_clip(content_type: str, make: Process) -> None:
    name, options = FILMS[content_type]
    content = video(name, *options)

    result = make(content, content_type)

    assert 0.8 < result.facts["durationSeconds"] < 1.3
    assert (result.facts["width"], result.facts["height"]) == (320, 180)
    with Image.open(made(result, "poster"), formats=["JPEG"]) as poster:
        assert poster.size == (320, 180)
    (seen,) = streams(made(result, "clip"))
    assert (seen["codec_name"], seen["pix_fmt"]) == ("h264", "yuv420p")


@pytest.mark.parametrize("codec", STREAMS)
def test_a_stream_without_a_container_has_previews_but_no_duration(
    codec: str, make: Process
) -> None:
    name, options = STREAMS[codec]

    result = make(video(name, "-an", *options), "video/mpeg")

    assert result.facts == {"width": 320, "height": 180}
    assert {each.role for each in result.previews} == {"poster", "clip"}


def test_a_video_of_another_format_than_its_type_is_read(make: Process) -> None:
    result = make(video("film.mkv"), "video/mp4")

    assert {each.role for each in result.previews} == {"poster", "clip"}


@pytest.mark.parametrize("name", ["film.mov", "film.ts", "film.mkv", "film.mpg"])
def test_a_truncated_video_shows_its_beginning(name: str, make: Process) -> None:
    content = video(name, "-an", *(["-movflags", "+faststart"] if name == "film.mov" else []))

    result = make(content[: len(content) * 6 // 10], "video/mp4")

    assert {each.role for each in result.previews} == {"poster", "clip"}


def test_a_poster_without_a_clip(
    make: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = video("film.mp4")
    real = shutil.which("ffmpeg")
    stub = tmp_path / "ffmpeg"
    stub.write_text(f'#!/bin/sh\ncase "$*" in *libx264*) exit 1;; esac\nexec {real} "$@"\n')
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    result = make(content, "video/mp4")

    assert [each.role for each in result.previews] == ["poster"]
    assert result.facts["skippedCode"] == "file_unreadable"


def test_a_clip_is_small_short_silent_and_streamable(make: Process) -> None:
    content = video("film.mp4", "-preset", "ultrafast", size="960x540", seconds=11)

    result = make(content, "video/mp4")

    clip = made(result, "clip")
    (seen,) = streams(clip)
    assert (seen["width"], seen["height"]) == (852, 480)
    assert 9.9 < seen["length"] < 10.1
    start = clip.read_bytes()
    assert start.index(b"moov") < start.index(b"mdat")
    assert len(start) < 3_000_000


def test_a_rotated_video_is_shown_upright(make: Process, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(video("film.mp4"))
    turned = tmp_path / "turned.mp4"
    turn = ["-i", film, "-metadata:s:v:0", "rotate=90", "-c", "copy", turned]
    subprocess.run(["ffmpeg", "-loglevel", "error", *turn], check=True)

    result = make(turned.read_bytes(), "video/mp4")

    assert (result.facts["width"], result.facts["height"]) == (180, 320)
    (seen,) = streams(made(result, "clip"))
    assert (seen["width"], seen["height"]) == (180, 320)


def test_a_video_of_one_frame_has_a_poster(make: Process) -> None:
    result = make(video("film.mp4", "-an", seconds=0.04), "video/mp4")

    assert made(result, "poster").stat().st_size


def test_an_extreme_duration_is_ignored(make: Process) -> None:
    result = make(mp4_that_lasts(), "video/mp4")

    assert result.facts == {"width": 320, "height": 180}


def test_a_video_without_a_picture_notes_so(make: Process) -> None:
    result = make(video("film.mp4", "-vn"), "video/mp4")

    assert result.previews == ()
    assert result.facts["skipped"] == "The video has no pictures."
    assert result.facts["skippedCode"] == "nothing_to_show"
    assert result.facts["durationSeconds"] == 1


def test_without_ffmpeg_the_upload_completes_with_a_note(
    make: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    result = make(b"whatever it is", "video/mp4")

    reason = "This server cannot read videos."
    assert result == PreviewResult((), {"skipped": reason, "skippedCode": "no_reader"})


def test_tests_without_ffmpeg_are_skipped_or_fail_in_ci(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(ffmpeg.IS_REQUIRED, raising=False)

    with pytest.raises(pytest.skip.Exception):
        ffmpeg.needed()

    monkeypatch.setenv(ffmpeg.IS_REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception):
        ffmpeg.needed()
