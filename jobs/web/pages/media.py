"""Which files a page plays or shows as they are.

The store sends them as downloads, but `<video>`, `<audio>` and `<img>` read those as well. None of
these elements runs what is in a file, whoever uploaded it.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob, StoredFile
from jobs.states import Status

# What current browsers can decode. A browser that cannot says so in the player.
VIDEOS = {"video/mp4", "video/webm", "video/ogg", "video/quicktime"}
SOUNDS = {
    *("audio/mpeg", "audio/mp4", "audio/x-m4a", "audio/aac", "audio/ogg", "audio/webm"),
    *("audio/wav", "audio/x-wav", "audio/flac", "audio/x-flac", "audio/opus"),
}
PICTURES = {"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/bmp"}
MAX_PICTURE_BYTES = 20_000_000  # a page loads a picture whole, but only parts of a video


@dataclass(frozen=True)
class Media:
    """A file that a page plays or shows. `poster` is the URL of a picture of a video, if any."""

    element: str  # video, audio or img
    address: str
    poster: str = ""


def media_of_file(file: StoredFile, address: str, *, poster: str = "") -> Media | None:
    """Return how a page shows the file at the URL; None if it cannot."""
    content_type = file.content_type.partition(";")[0].strip().lower()
    if content_type in VIDEOS:
        return Media("video", address, poster)
    if content_type in SOUNDS:
        return Media("audio", address)
    if content_type in PICTURES and file.size_bytes <= MAX_PICTURE_BYTES:
        return Media("img", address)
    return None


def media_of_job(job: DownloadJob, address: str, *, poster: str = "") -> Media | None:
    """Return how the page of a job shows its file.

    Pictures of kinds with previews are shown as those: the file itself may have too many pixels.
    """
    if job.status != Status.COMPLETED or job.artifact is None:
        return None
    media = media_of_file(job.artifact, address, poster=poster)
    return None if media and media.element == "img" and KINDS[job.kind].roles else media
