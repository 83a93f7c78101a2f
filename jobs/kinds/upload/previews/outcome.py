"""What is made of an uploaded file, and what may be spent on that. Known on both sides. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import ProcessingError


@dataclass(frozen=True)
class Limits:
    """Per file. Videos have `video_times` as much time."""

    memory_bytes: int = 1024**3
    cpu_seconds: int = 60
    wall_seconds: int = 70
    video_times: int = 4
    file_bytes: int = 256 * 1024**2  # of all that is made together
    max_pixels: int = 144_000_000
    max_pages: int = 2_000


@dataclass(frozen=True)
class Made:
    """A file made from the upload."""

    role: str
    path: Path
    content_type: str


@dataclass(frozen=True)
class Outcome:
    """`facts` are JSON: one level, numbers and short texts."""

    made: tuple[Made, ...]
    facts: dict[str, Any]


def skipped(reason: ProcessingError) -> dict[str, str]:
    """Return the metadata that says what was skipped: a sentence and its code."""
    return {"skipped": str(reason), "skippedCode": reason.code}


@dataclass(frozen=True)
class Work:
    """What a maker is given: it reads `source`, and writes into `folder` alone."""

    source: Path
    content_type: str
    folder: Path
    limits: Limits
    say: Callable[[str], None]
