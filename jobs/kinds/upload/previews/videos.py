"""A poster frame of a video, and a small clip without sound of its first seconds.

Imported only by the helper. Uses ffmpeg if it is installed. ffmpeg detects the format, among those
allowed here: a playlist in place of a video would make it open other files.
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
from jobs.kinds.upload.previews.helper_protocol import TOO_MUCH
from jobs.kinds.upload.previews.preview_result import (
    CreatedPreview,
    PreviewLimits,
    PreviewResult,
    Work,
    skipped_preview,
)
from jobs.kinds.upload.previews.sizes import size_inside

POSTER, CLIP = (1280, 1280), (854, 480)
CLIP_SECONDS = 10
POSTER_SECONDS = 3  # many videos begin with black frames
FRAMES = 25  # the poster is the most typical of these
MAX_SECONDS = 30 * 24 * 3600  # a longer duration is taken for invalid
THREADS = "2"
SIGNALLED = 255  # exit status of ffmpeg when its CPU time is over
OUT_OF_MEMORY = b"Cannot allocate memory"
# None of these opens another file. The last ones are video without a container.
DEMUXERS = "mov,matroska,avi,mpeg,mpegts,mpegvideo,m4v,h264,hevc"  # as ffmpeg calls them
WITHOUT_CONTAINER = {"mpegvideo", "m4v", "h264", "hevc"}  # whose duration is a guess
SHOWN = (
    "format=format_name,duration:stream=width,height,sample_aspect_ratio:stream_side_data=rotation"
)


def make_video_previews(work: Work) -> PreviewResult:
    """Create `poster` and `clip`; neither without ffmpeg or without a picture."""
    if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
        return PreviewResult((), skipped_preview(NoReader("This server cannot read videos.")))
    work.say("Reading the video")
    facts = _facts(work)
    if "width" not in facts:
        return PreviewResult(
            (), facts | skipped_preview(NothingToShow("The video has no pictures."))
        )
    shape = facts["width"], facts["height"]
    work.say("Creating the poster frame")
    poster = _poster(work, size_inside(shape, POSTER), facts.get("durationSeconds", 0))
    work.say("Creating the preview clip")
    try:
        return PreviewResult((poster, _clip(work, size_inside(shape, CLIP))), facts)
    except ProcessingError as problem:
        return PreviewResult((poster,), facts | skipped_preview(problem))


def _facts(work: Work) -> dict[str, Any]:
    """Return duration, width and height, as displayed: rotated, with square pixels."""
    options = ["-select_streams", "V:0", "-show_entries", SHOWN, "-of", "json"]
    probe = json.loads(_run("ffprobe", [*options, *_input(work)]))
    facts = {}
    container = probe.get("format", {})
    seconds = float(container.get("duration", "nan"))
    if 0 < seconds < MAX_SECONDS and container.get("format_name") not in WITHOUT_CONTAINER:
        facts["durationSeconds"] = round(seconds, 3)
    for stream in probe.get("streams", [])[:1]:
        facts["width"], facts["height"] = _shape(stream, work.limits)
    return facts


def _shape(stream: dict[str, Any], limits: PreviewLimits) -> tuple[int, int]:
    width, height = stream.get("width", 0), stream.get("height", 0)
    if width * height > limits.max_pixels:
        side = f"{math.isqrt(limits.max_pixels):,}"
        raise PictureTooLarge(
            f"{width:,} by {height:,} pixels are too many."
            f" Previews are made of up to {side} by {side} pixels."
        )
    if not width * height:
        raise FileUnreadable("The video has no dimensions.")
    width = max(round(width * _pixel_ratio(stream)), 1)
    turns = [side.get("rotation", 0) for side in stream.get("side_data_list", [])]
    is_on_its_side = any(round(turn / 90) % 2 for turn in turns)
    return (height, width) if is_on_its_side else (width, height)


def _pixel_ratio(stream: dict[str, Any]) -> float:
    """Return the pixel aspect ratio; 1 if it is invalid or extreme."""
    across, _, down = stream.get("sample_aspect_ratio", "1:1").partition(":")
    ratio = float(across) / max(float(down), 1)
    return ratio if 0.1 <= ratio <= 10 else 1


def _poster(work: Work, size: tuple[int, int], seconds: float) -> CreatedPreview:
    # From the keyframe before, so that the shortest video has a poster, too.
    later = ["-noaccurate_seek", "-ss", str(min(seconds / 3, POSTER_SECONDS))]
    look = ["-vf", f"{_scaled(size)},thumbnail={FRAMES}", "-frames:v", "1"]
    file = [*look, "-q:v", "4", "-f", "image2", "-update", "1"]
    try:
        path = _encode(work, "poster.jpg", later if seconds else [], file)
    except FileUnreadable:
        if not seconds:
            raise
        path = _encode(work, "poster.jpg", [], file)  # truncated before, or not seekable
    return CreatedPreview("poster", path, "image/jpeg")


def _clip(work: Work, size: tuple[int, int]) -> CreatedPreview:
    even = (
        max(size[0] // 2 * 2, 2),
        max(size[1] // 2 * 2, 2),
    )  # as H.264 requires
    look = ["-vf", _scaled(even), "-pix_fmt", "yuv420p", "-fpsmax", "30"]
    pace = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "26", "-maxrate", "1500k"]
    file = ["-bufsize", "3000k", "-movflags", "+faststart", "-f", "mp4"]
    # Before the input, too: then the rest is not even read.
    length = ["-t", str(CLIP_SECONDS)]
    path = _encode(work, "clip.mp4", length, [*length, *look, *pace, *file])
    return CreatedPreview("clip", path, "video/mp4")


def _scaled(size: tuple[int, int]) -> str:
    return f"scale={size[0]}:{size[1]},setsar=1"


def _encode(work: Work, name: str, before: list[str], after: list[str]) -> Path:
    path = work.folder / name
    seen = ["-map", "0:V:0", "-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact"]
    quiet = ["-nostdin", "-hide_banner", "-y", "-filter_threads", "1"]
    # The frames may become larger than the probe reported.
    source = ["-max_pixels", str(work.limits.max_pixels), *before, *_input(work)]
    _run("ffmpeg", [*quiet, *source, *seen, "-threads", THREADS, *after, f"file:{path}"])
    if not path.exists() or not path.stat().st_size:
        raise FileUnreadable("The video could not be decoded.")
    return path


def _input(work: Work) -> list[str]:
    what = ["-protocol_whitelist", "file,pipe", "-format_whitelist", DEMUXERS]
    return [*what, "-threads", THREADS, "-i", f"file:{work.source}"]


def _run(program: str, arguments: list[str]) -> bytes:
    """Run the program and return its stdout. It ends when this process ends."""
    parent = os.getpid()
    done = subprocess.run(  # noqa: S603
        [program, "-loglevel", "error", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        preexec_fn=lambda: sandbox.end_sandbox_with(parent),  # there are no threads here
    )
    os.write(2, done.stderr)
    if done.returncode < 0 or done.returncode == SIGNALLED or OUT_OF_MEMORY in done.stderr:
        raise FileTooComplex(TOO_MUCH)
    if done.returncode:
        raise FileUnreadable(
            "The video is damaged, incomplete, or not of the type it claims to be."
        )
    return done.stdout
