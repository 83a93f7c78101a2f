"""Check S3's two endpoint URLs. Connects to nothing."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

PUBLIC_HINT = (
    "Set S3_PUBLIC_ENDPOINT_URL to the address at which clients reach the file store, as in"
    " https://files.example.com."
)


@register
def check_store_endpoints(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"{name} ({getattr(settings, name)!r}) is not the URL of a server.",
            hint=f"Set {name} to scheme, host and port, as in http://minio:9000.",
            id="jobs.E007",
        )
        for name in ("S3_ENDPOINT_URL", "S3_PUBLIC_ENDPOINT_URL")
        if not _host_of(getattr(settings, name))
    ]


@register
def check_public_store_address(**kwargs: Any) -> list[CheckMessage]:
    host = _host_of(settings.S3_PUBLIC_ENDPOINT_URL)
    if not settings.PRODUCTION or not host:
        return []
    if _is_loopback(host):
        return [
            Error(
                f"Downloads are sent to {host}, which is the client's own machine: nobody gets a"
                " file.",
                hint=PUBLIC_HINT,
                id="jobs.E008",
            )
        ]
    if _is_internal(host):
        return [
            Warning(
                f"Downloads are sent to {host}, which is not known outside your network.",
                hint=f"{PUBLIC_HINT} If this is intended: SILENCED_SYSTEM_CHECKS=jobs.W007.",
                id="jobs.W007",
            )
        ]
    return []


@register(deploy=True)
def check_store_is_https(**kwargs: Any) -> list[CheckMessage]:
    if settings.S3_PUBLIC_ENDPOINT_URL.startswith("https://"):
        return []
    return [
        Warning(
            "S3_PUBLIC_ENDPOINT_URL is not https: browsers on an https page refuse the download.",
            hint=PUBLIC_HINT,
            id="jobs.W002",
        )
    ]


def _host_of(url: str) -> str:
    """Return the host of an HTTP URL; empty if it is invalid."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.hostname or ""
    return host.rstrip(".") if parts.scheme in ("http", "https") else ""


def _is_loopback(host: str) -> bool:
    if address := _address(host):
        return address.is_loopback or address.is_unspecified
    return host == "localhost" or host.endswith(".localhost")


def _is_internal(host: str) -> bool:
    if address := _address(host):
        return not address.is_global
    return "." not in host or host.endswith((".local", ".internal"))


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:  # it is a name
        return None
