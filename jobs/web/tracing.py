"""Middleware that traces requests that change something. In MIDDLEWARE only if TRACING is true.

Reads have no spans: most of them are polls.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from jobs.lib.tracing.requests import RequestSpan
from jobs.web.asgi.response import IS_SAMPLE
from jobs.web.request_ids import request_id

READS = {"GET", "HEAD", "OPTIONS"}


class TracingMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        method = request.method or ""
        if method in READS or IS_SAMPLE in request.META:
            return self.get_response(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        span = RequestSpan(method, request.path, request.scheme or "http", headers)
        status, route = 500, ""
        try:
            with span.current():
                response = self.get_response(request)
            status = response.status_code
        finally:
            if match := request.resolver_match:
                route = f"/{match.route}"
            span.end(route=route, status=status, request_id=request_id(request))
        return response
