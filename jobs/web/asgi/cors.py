"""The headers for pages of other origins, as django-cors-headers adds them."""

from __future__ import annotations

import re
from functools import lru_cache

from corsheaders.conf import conf
from corsheaders.middleware import CorsMiddleware
from corsheaders.signals import check_request_enabled
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

PREFIX = "access-control-"


def cors_headers(path: str, origin: bytes) -> list[tuple[bytes, bytes]] | None:
    """Return the headers for this origin; None if only Django can tell."""
    if check_request_enabled.receivers:  # they may look at anything in the request
        return None
    return _headers_of(origin) if re.match(conf.CORS_URLS_REGEX, path) else []


@lru_cache(maxsize=1_000)
def _headers_of(origin: bytes) -> list[tuple[bytes, bytes]]:
    request, response = HttpRequest(), HttpResponse()
    request.method = "GET"
    request.META["HTTP_ORIGIN"] = origin.decode("latin-1")
    request._cors_enabled = True  # type: ignore[attr-defined] # as the middleware sets it
    CorsMiddleware(lambda _: response).add_response_headers(request, response)
    return [
        (name.lower().encode(), value.encode("latin-1"))
        for name, value in response.items()
        if name.lower().startswith(PREFIX)
    ]


@receiver(setting_changed)
def _forget_origins(**_: object) -> None:
    _headers_of.cache_clear()
