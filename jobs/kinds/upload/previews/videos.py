"""A picture of a video, and its first seconds, small and silent. In the helper alone.

By ffmpeg, where there is one. It finds out the format, and is told which ones to take: a playlist
that calls itself a video would have it open other files.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from jobs.errors import (
    FileTooComplex,
    FileUnreadable,
    NoReader,
    NothingToShow,
    PictureTooLarge,
    ProcessingError,
)
from jobs.kinds.upload.previews import sandbox
from jobs.kinds.upload.previews.outcome import Limits, Made, Outcome, Work, skipped
from jobs.kinds.upload.previews.protocol import TOO_MUCH
from jobs.kinds.upload.previews.sizes import inside

POSTER, CLIP = (1280, 1280), (854, 480)
CLIP_SECONDS = 10
POSTER_SECONDS = 3  # many a video begins in black
FRAMES = 25  # of which the poster is the most typical
LONGEST_SECONDS = 30 * 24 * 3600  # what claims more is not believed
THREADS = "2"
SIGNALLED = 255  # ffmpeg's exit status for its processor time being over
OUT_OF_MEMORY = b"Cannot allocate memory"
# None of these opens another file. The last ones are video without a container.
DEMUXERS = "mov,matroska,avi,mpeg,mpegts,mpegvideo,m4v,h264,hevc"  # as ffmpeg calls them
WITHOUT_CONTAINER = {"mpegvideo", "m4v", "h264", "hevc"}  # whose duration is a guess
SHOWN = (
    "format=format_name,duration:stream=width,height,sample_aspect_ratio:stream_side_data=rotation"
)


def make(work: Work) -> Outcome:
    """`poster` and `clip`, and none where there is no ffmpeg, or nothing to be seen."""
    if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
        return Outcome((), skipped(NoReader("This server cannot read videos.")))
    work.say("Reading the video")
    facts = _facts(work)
    if "width" not in facts:
        return Outcome((), facts | skipped(NothingToShow("The video has no pictures.")))
    shape = facts["width"], facts["height"]
    work.say("Creating the poster frame")
    poster = _poster(work, inside(shape, POSTER), facts.get("durationSeconds", 0))
    work.say("Creating the preview clip")
    try:
        return Outcome((poster, _clip(work, inside(shape, CLIP))), facts)
    except ProcessingError as problem:
        return Outcome((poster,), facts | skipped(problem))


def _facts(work: Work) -> dict[str, Any]:
    """Width and height as it is shown: turned, and with pixels as wide as high."""
    options = ["-select_streams", "V:0", "-show_entries", SHOWN, "-of", "json"]
    told = json.loads(_run("ffprobe", [*options, *_input(work)]))
    facts = {}
    container = told.get("format", {})
    seconds = float(container.get("duration", "nan"))
    if 0 < seconds < LONGEST_SECONDS and container.get("format_name") not in WITHOUT_CONTAINER:
        facts["durationSeconds"] = round(seconds, 3)
    for stream in told.get("streams", [])[:1]:
        facts["width"], facts["height"] = _shape(stream, work.limits)
    return facts


def _shape(stream: dict[str, Any], limits: Limits) -> tuple[int, int]:
    width, height = stream.get("width", 0), stream.get("height", 0)
    if width * height > limits.max_pixels:
        side = f"{math.isqrt(limits.max_pixels):,}"
        raise PictureTooLarge(
            f"{width:,} by {height:,} pixels are too many."
            f" Previews are made of up to {side} by {side} pixels."
        )
    if not width * height:
        raise FileUnreadable("The video has no dimensions.")
    width = max(round(width * _stretched(stream)), 1)
    turns = [side.get("rotation", 0) for side in stream.get("side_data_list", [])]
    is_on_its_side = any(round(turn / 90) % 2 for turn in turns)
    return (height, width) if is_on_its_side else (width, height)


def _stretched(stream: dict[str, Any]) -> float:
    """How many times as wide as high its pixels are. What is beyond reason is not believed."""
    across, _, down = stream.get("sample_aspect_ratio", "1:1").partition(":")
    ratio = float(across) / max(float(down), 1)
    return ratio if 0.1 <= ratio <= 10 else 1


def _poster(work: Work, size: tuple[int, int], seconds: float) -> Made:
    # From the keyframe before that, so that the shortest video has one, too.
    later = ["-noaccurate_seek", "-ss", str(min(seconds / 3, POSTER_SECONDS))]
    look = ["-vf", f"{_scaled(size)},thumbnail={FRAMES}", "-frames:v", "1"]
    file = [*look, "-q:v", "4", "-f", "image2", "-update", "1"]
    try:
        path = _filmed(work, "poster.jpg", later if seconds else [], file)
    except FileUnreadable:
        if not seconds:
            raise
        path = _filmed(work, "poster.jpg", [], file)  # it breaks off before, or cannot be sought in
    return Made("poster", path, "image/jpeg")


def _clip(work: Work, size: tuple[int, int]) -> Made:
    even = max(size[0] // 2 * 2, 2), max(size[1] // 2 * 2, 2)  # H.264 has a colour for four pixels
    look = ["-vf", _scaled(even), "-pix_fmt", "yuv420p", "-fpsmax", "30"]
    pace = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "26", "-maxrate", "1500k"]
    file = ["-bufsize", "3000k", "-movflags", "+faststart", "-f", "mp4"]
    # Before the input too: what comes later is not even read.
    length = ["-t", str(CLIP_SECONDS)]
    path = _filmed(work, "clip.mp4", length, [*length, *look, *pace, *file])
    return Made("clip", path, "video/mp4")


def _scaled(size: tuple[int, int]) -> str:
    return f"scale={size[0]}:{size[1]},setsar=1"


def _filmed(work: Work, name: str, before: list[str], after: list[str]) -> Path:
    path = work.folder / name
    seen = ["-map", "0:V:0", "-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact"]
    quiet = ["-nostdin", "-hide_banner", "-y", "-filter_threads", "1"]
    # A film may grow after its beginning, of which the probe told.
    source = ["-max_pixels", str(work.limits.max_pixels), *before, *_input(work)]
    _run("ffmpeg", [*quiet, *source, *seen, "-threads", THREADS, *after, f"file:{path}"])
    if not path.exists() or not path.stat().st_size:
        raise FileUnreadable("The video could not be decoded.")
    return path


def _input(work: Work) -> list[str]:
    what = ["-protocol_whitelist", "file,pipe", "-format_whitelist", DEMUXERS]
    return [*what, "-threads", THREADS, "-i", f"file:{work.source}"]


def _run(program: str, arguments: list[str]) -> bytes:
    """What it printed. It ends with this process, which alone may kill it, by its group."""
    parent = os.getpid()
    done = subprocess.run(  # noqa: S603
        [program, "-loglevel", "error", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        preexec_fn=lambda: sandbox.die_with(parent),  # there are no threads here
    )
    os.write(2, done.stderr)
    if done.returncode < 0 or done.returncode == SIGNALLED or OUT_OF_MEMORY in done.stderr:
        raise FileTooComplex(TOO_MUCH)
    if done.returncode:
        raise FileUnreadable(
            "The video is damaged, incomplete, or not of the type it claims to be."
        )
    return done.stdout
