"""Check settings that contradict each other. Connects to nothing: runs when any process starts."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from jobs import storage


@register
def check_delay_contradiction(**kwargs: Any) -> list[CheckMessage]:
    delay = settings.SIMULATED_DELAY_SECONDS
    limits = ("JOB_TIME_LIMIT_SECONDS", "STALLED_SECONDS")
    name, limit = min(
        ((name, getattr(settings, name)) for name in limits), key=lambda each: each[1]
    )
    if len(delay) != 2 or not 0 <= delay[0] <= delay[1]:
        return [
            Error(
                "SIMULATED_DELAY_SECONDS must be two numbers, the smaller one first.",
                hint="Set SIMULATED_DELAY_SECONDS to a range such as 10,120, or remove it.",
                id="jobs.E002",
            )
        ]
    if delay[1] < limit:
        return []
    return [
        Warning(
            f"The simulated delay is longer than {name} ({limit}): jobs are stopped.",
            hint="Lower SIMULATED_DELAY_SECONDS, or remove it.",
            id="jobs.W001",
        )
    ]


@register
def check_lifetime_contradiction(**kwargs: Any) -> list[CheckMessage]:
    kept, works = settings.RESULT_KEPT_SECONDS, settings.DOWNLOAD_URL_SECONDS
    if kept >= works:
        return []
    return [
        Warning(
            f"RESULT_KEPT_SECONDS ({kept}) is shorter than a link works ({works} s): it then"
            " leads to a file that is gone.",
            hint="Lower DOWNLOAD_URL_SECONDS, or keep results longer.",
            id="jobs.W005",
        )
    ]


@register
def check_size_contradictions(**kwargs: Any) -> list[CheckMessage]:
    most = storage.MAX_OBJECT_BYTES
    return [
        Warning(
            f"{name} ({getattr(settings, name)}) has no effect: S3 allows {most} bytes per file.",
            hint=f"Set {name} to {most} or less.",
            id="jobs.W013",
        )
        for name in ("REMOTE_MAX_BYTES", "MAX_CHUNKED_UPLOAD_BYTES")
        if getattr(settings, name) > most
    ]


@register
def check_debug_contradiction(**kwargs: Any) -> list[CheckMessage]:
    if not (settings.PRODUCTION and settings.DEBUG):
        return []
    return [
        Error(
            "PRODUCTION and DEBUG are both true: error pages would show settings.",
            hint="Set DEBUG to false.",
            id="jobs.E006",
        )
    ]
