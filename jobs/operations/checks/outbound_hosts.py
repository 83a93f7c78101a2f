"""Check which hosts and ports links and webhooks may use. Connects to nothing."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from jobs.outbound.hosts import parse_host_allowance


@register
def check_outbound_ports(**kwargs: Any) -> list[CheckMessage]:
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
def check_outbound_private_hosts(**kwargs: Any) -> list[CheckMessage]:
    try:
        parse_host_allowance(settings.REMOTE_ALLOWED_PRIVATE_HOSTS)
    except ValueError as error:
        hint = (
            "Set REMOTE_ALLOWED_PRIVATE_HOSTS to host names, addresses or networks, as in"
            " minio,10.0.0.0/8, separated by commas."
        )
        return [Error(f"REMOTE_ALLOWED_PRIVATE_HOSTS: {error}.", hint=hint, id="jobs.E018")]
    return []
