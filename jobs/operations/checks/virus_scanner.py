"""Check the settings of the virus scanner. Connects to nothing."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from jobs.lib import scanner as clamd


@register
def check_scanner_address(**kwargs: Any) -> list[CheckMessage]:
    try:
        if clamd.is_scanner_on():
            clamd.scanner_place(settings.CLAMD)
    except ValueError:
        return [
            Error(
                f"CLAMD ({settings.CLAMD!r}) is not a valid address of a virus scanner.",
                hint="Set CLAMD to tcp://host:port or unix:///path, or to off.",
                id="jobs.E019",
            )
        ]
    return []


@register(deploy=True)
def check_scanner_is_on(**kwargs: Any) -> list[CheckMessage]:
    if clamd.is_scanner_on():
        return []
    return [
        Warning(
            "CLAMD is off: uploads are not scanned for viruses.",
            hint="Set CLAMD to the address of a clamd, as in tcp://clamav:3310. Where that is"
            " meant: SILENCED_SYSTEM_CHECKS=jobs.W010.",
            id="jobs.W010",
        )
    ]
