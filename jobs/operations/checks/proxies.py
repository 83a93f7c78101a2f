"""Check the addresses of proxies and of the gateway. Connects to nothing."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from jobs.lib.addresses import parse_address_networks


@register
def check_proxy_networks(**kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for name in ("TRUSTED_PROXIES", "GATEWAY_ADDRESSES"):
        try:
            parse_address_networks(getattr(settings, name))
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
def check_gateway_proxy(**kwargs: Any) -> list[CheckMessage]:
    if not settings.GATEWAY_USER_HEADER or settings.GATEWAY_ADDRESSES:
        return []
    return [
        Error(
            "GATEWAY_USER_HEADER is set and GATEWAY_ADDRESSES is not: nobody may send it.",
            hint="Set GATEWAY_ADDRESSES to the addresses that the gateway connects from.",
            id="jobs.E013",
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
