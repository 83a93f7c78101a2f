"""Is what may be silent for a while given that time? Asks no server."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from jobs import processing, storage


@register
def the_silent_are_not_taken_for_stalled(**kwargs: Any) -> list[CheckMessage]:
    """While a helper, the scanner or the store works, an attempt sees no progress."""
    limits = processing.Limits()
    silences = {
        "previews of a video": limits.wall_seconds * limits.video_times,
        "the file store": storage.SILENT_SECONDS,
        "CLAMD_SILENT_SECONDS": settings.CLAMD_SILENT_SECONDS,
        "twice REMOTE_SLOW_SECONDS": 2 * settings.REMOTE_SLOW_SECONDS,
        "REMOTE_SILENT_SECONDS": settings.REMOTE_SILENT_SECONDS,
    }
    longest = max(silences, key=lambda name: silences[name])
    if silences[longest] < settings.STALLED_SECONDS:
        return []
    return [
        Error(
            f"STALLED_SECONDS ({settings.STALLED_SECONDS}) is over before a healthy attempt sees"
            f" progress: {longest} may take {silences[longest]:g} s.",
            hint=f"Set STALLED_SECONDS to more than {silences[longest]:g}.",
            id="jobs.E023",
        )
    ]
