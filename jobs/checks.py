"""System checks: settings that contradict each other are found at start, not at 3 am."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register


@register
def clocks_agree(**kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if not settings.RENEW_SECONDS < settings.FENCE_SECONDS < settings.LEASE_SECONDS:
        found.append(
            Error(
                "RENEW_SECONDS < FENCE_SECONDS < LEASE_SECONDS must hold, or a healthy attempt"
                " loses its job to another worker.",
                id="jobs.E001",
            )
        )
    shortest, longest = settings.SIMULATED_DELAY_SECONDS
    if not 0 <= shortest <= longest:
        found.append(Error("SIMULATED_DELAY_SECONDS is two numbers, as in 10,120.", id="jobs.E002"))
    if longest >= settings.JOB_TIME_LIMIT_SECONDS:
        found.append(Warning("The simulated delay is longer than the time limit.", id="jobs.W001"))
    return found


@register(deploy=True)
def browsers_reach_the_store(**kwargs: Any) -> list[CheckMessage]:
    if settings.S3_PUBLIC_ENDPOINT_URL.startswith("https://"):
        return []
    return [
        Warning(
            "S3_PUBLIC_ENDPOINT_URL is not https: browsers on an https page refuse the download.",
            id="jobs.W002",
        )
    ]
