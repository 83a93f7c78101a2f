"""Check STALLED_SECONDS against how long a healthy attempt may wait. Connects to nothing."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from jobs import processing, storage


@register
def stalled_seconds_is_longer_than_any_wait(**kwargs: Any) -> list[CheckMessage]:
    """An attempt sees no progress while it waits for a helper, the scanner or the store."""
    limits = processing.Limits()
    waits = {
        "previews of a video": limits.wall_seconds * limits.video_times,
        "the file store": storage.SILENT_SECONDS,
        "CLAMD_SILENT_SECONDS": settings.CLAMD_SILENT_SECONDS,
        "twice REMOTE_SLOW_SECONDS": 2 * settings.REMOTE_SLOW_SECONDS,
        "REMOTE_SILENT_SECONDS": settings.REMOTE_SILENT_SECONDS,
    }
    longest = max(waits, key=lambda name: waits[name])
    if waits[longest] < settings.STALLED_SECONDS:
        return []
    return [
        Error(
            f"STALLED_SECONDS ({settings.STALLED_SECONDS}) is over before a healthy attempt sees"
            f" progress: {longest} may take {waits[longest]:g} s.",
            hint=f"Set STALLED_SECONDS to more than {waits[longest]:g}.",
            id="jobs.E023",
        )
    ]
