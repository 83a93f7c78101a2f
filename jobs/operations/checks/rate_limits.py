"""Check rate limits, and the Redis database that counts them. Connects to nothing."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from jobs.web import rate_counting, rates


@register
def check_rate_limits(**kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for scope in settings.RATES:
        try:
            rates.parse_rates(scope)
        except ValueError as error:
            found.append(_no_rate("RATE_" + scope.upper().replace("-", "_"), str(error)))
    return found


def _no_rate(name: str, text: str) -> CheckMessage:
    return Error(
        f"{name} has {text!r}, which is not a rate.",
        hint=f"Set {name} to who:requests/seconds, as in owner:100/60, separated by commas;"
        " who is owner or address; to sign in, also account, account-address or device.",
        id="jobs.E010",
    )


@register
def check_rate_limit_cache(**kwargs: Any) -> list[CheckMessage]:
    if settings.CACHE_URL != settings.CELERY_BROKER_URL:
        return []
    return [
        Warning(
            "CACHE_URL and REDIS_URL name the same database: flushing one flushes the other.",
            hint="Set CACHE_URL to another database of Redis, as in redis://host:6379/1.",
            id="jobs.W008",
        )
    ]


@register
def check_rate_limit_url(**kwargs: Any) -> list[CheckMessage]:
    if rate_counting.is_rate_counting_url(settings.CACHE_URL):
        return []
    return [
        Error(
            "CACHE_URL is not a valid Redis URL: every request fails.",
            hint="Set CACHE_URL to one, as in redis://host:6379/1 or unix:///run/redis.sock?db=1;"
            " it follows from REDIS_URL only where that begins with redis:// or rediss://.",
            id="jobs.E016",
        )
    ]
