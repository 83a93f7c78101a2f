"""Check rate limits, proxies, the gateway and allowed hosts. Connects to nothing."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from jobs.lib.addresses import networks
from jobs.outbound.hosts import allowance
from jobs.web import rate_counting, rates


@register
def check_rates(**kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for scope in settings.RATES:
        try:
            rates.rates_of(scope)
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
def check_networks(**kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for name in ("TRUSTED_PROXIES", "GATEWAY_ADDRESSES"):
        try:
            networks(getattr(settings, name))
        except ValueError as error:
            hint = f"Set {name} to addresses or networks, as in 10.0.0.0/8, separated by commas."
            found.append(Error(f"{name}: {error}.", hint=hint, id="jobs.E011"))
    return found


@register
def check_trusted_proxies(**kwargs: Any) -> list[CheckMessage]:
    if not (settings.TRUSTED_PROXIES and settings.TRUSTED_PROXY_HOPS):
        return []
    return [
        Error(
            "TRUSTED_PROXIES and TRUSTED_PROXY_HOPS are both set: only one may be.",
            hint="Remove TRUSTED_PROXY_HOPS; networks are safer than a number.",
            id="jobs.E012",
        )
    ]


@register
def check_gateway(**kwargs: Any) -> list[CheckMessage]:
    if not settings.GATEWAY_USER_HEADER or settings.GATEWAY_ADDRESSES:
        return []
    return [
        Error(
            "GATEWAY_USER_HEADER is set and GATEWAY_ADDRESSES is not: nobody may send it.",
            hint="Set GATEWAY_ADDRESSES to the addresses that the gateway connects from.",
            id="jobs.E013",
        )
    ]


@register
def check_ports(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"REMOTE_PORTS has {port}, which is not a port.",
            hint="Set REMOTE_PORTS to numbers from 1 to 65535, separated by commas.",
            id="jobs.E017",
        )
        for port in settings.REMOTE_PORTS
        if not 0 < port < 2**16
    ]


@register
def check_private_hosts(**kwargs: Any) -> list[CheckMessage]:
    try:
        allowance(settings.REMOTE_ALLOWED_PRIVATE_HOSTS)
    except ValueError as error:
        hint = (
            "Set REMOTE_ALLOWED_PRIVATE_HOSTS to host names, addresses or networks, as in"
            " minio,10.0.0.0/8, separated by commas."
        )
        return [Error(f"REMOTE_ALLOWED_PRIVATE_HOSTS: {error}.", hint=hint, id="jobs.E018")]
    return []


@register
def check_separate_cache(**kwargs: Any) -> list[CheckMessage]:
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
def check_cache_url(**kwargs: Any) -> list[CheckMessage]:
    if rate_counting.is_address(settings.CACHE_URL):
        return []
    return [
        Error(
            "CACHE_URL is not a valid Redis URL: every request fails.",
            hint="Set CACHE_URL to one, as in redis://host:6379/1 or unix:///run/redis.sock?db=1;"
            " it follows from REDIS_URL only where that begins with redis:// or rediss://.",
            id="jobs.E016",
        )
    ]


@register(deploy=True)
def check_proxy_is_trusted(**kwargs: Any) -> list[CheckMessage]:
    believed = settings.TRUSTED_PROXIES or settings.TRUSTED_PROXY_HOPS
    if believed or not settings.SECURE_PROXY_SSL_HEADER:
        return []
    return [
        Warning(
            "A proxy ends TLS and none is trusted: all clients have its address, and ten wrong"
            " passwords a minute, anybody's, keep all from signing in whose device is new.",
            hint="Set TRUSTED_PROXIES to the addresses that the proxy connects from, or"
            " TRUSTED_PROXY_HOPS to 1.",
            id="jobs.W009",
        )
    ]
