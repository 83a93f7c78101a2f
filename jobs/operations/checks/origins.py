"""Check that CORS_ALLOWED_ORIGINS has origins that browsers send.

django-cors-headers itself refuses one without a scheme or host, and one with a path.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

USUAL_PORTS = {"http": 80, "https": 443}


@register
def check_allowed_origins(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"CORS_ALLOWED_ORIGINS has {origin!r}, which is not a valid origin.",
            hint="Name each origin in full, in small letters and without a usual port, as in"
            " https://app.example.com.",
            id="jobs.E015",
        )
        for origin in settings.CORS_ALLOWED_ORIGINS
        if origin in ("null", "file://") or not _is_sent(urlsplit(origin))
    ]


def _is_sent(origin: SplitResult) -> bool:
    """Return whether a browser can send it; also True for what django-cors-headers rejects."""
    if not (origin.scheme and origin.netloc):
        return True
    try:
        host, port = origin.hostname or "", origin.port
    except ValueError:  # an invalid port
        return False
    host = f"[{host}]" if ":" in host else host
    sent = host if port in (None, USUAL_PORTS.get(origin.scheme)) else f"{host}:{port}"
    return origin.scheme in USUAL_PORTS and not set("* ") & set(host) and origin.netloc == sent
