"""The previews of an upload, and the limits for creating them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import ProcessingError


@dataclass(frozen=True)
class PreviewLimits:
    """Limits per file. Slow types, such as videos, get `video_times` as much time."""

    memory_bytes: int = 1024**3
    cpu_seconds: int = 60
    wall_seconds: int = 70
    video_times: int = 4
    file_bytes: int = 256 * 1024**2  # of all previews together
    max_pixels: int = 144_000_000
    max_pages: int = 2_000


@dataclass(frozen=True)
class CreatedPreview:
    """A file created from the upload."""

    role: str
    path: Path
    content_type: str


@dataclass(frozen=True)
class PreviewResult:
    """The previews, and metadata as a flat JSON object of numbers and short texts."""

    previews: tuple[CreatedPreview, ...]
    facts: dict[str, Any]


def skipped_preview(reason: ProcessingError) -> dict[str, str]:
    """Return the metadata that says what was skipped: a sentence and its code."""
    return {"skipped": str(reason), "skippedCode": reason.code}


@dataclass(frozen=True)
class Work:
    """The input of a preview function: it reads `source` and writes only into `folder`."""

    source: Path
    content_type: str
    folder: Path
    limits: PreviewLimits
    say: Callable[[str], None]
