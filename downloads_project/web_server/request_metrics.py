"""Metrics about requests, by route: a bounded number, whatever paths clients send."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, cached_property
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from prometheus_client import Counter, Histogram

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
ID = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|(?<=/)[0-9]{5,9}(?![^/])")
CONVERTER = re.compile("<([^:>]+):[^>]+>")
ID_CONVERTERS = {"job", "file", "uuid"}
NATIVE = ("/health", "/health/live", "/health/ready")  # answered without Django's URLs
OTHER = "other"

_requests = Counter(
    "downloads_http_requests", "Requests that were answered.", ["method", "route", "status"]
)
_seconds = Histogram(
    "downloads_http_request_seconds",
    "From the request line to the last byte of the response.",
    ["route"],
    buckets=BOUNDS,
)


def observe_request(request_line: str, status: int, seconds: float) -> None:
    """Count a response. `request_line` is that of the access log, without a query string."""
    method, _, rest = request_line.partition(" ")
    route = routes.route_of(rest.partition(" ")[0])
    method = method if method in METHODS else OTHER
    _counter(method, route, status).inc()
    _histogram(route).observe(seconds)


@cache  # a look-up among the labels takes longer than the increment
def _counter(method: str, route: str, status: int) -> Counter:
    return _requests.labels(method, route, str(status))


@cache
def _histogram(route: str) -> Histogram:
    return _seconds.labels(route)


class Routes:
    """The routes of Django's URLs, as labels."""

    def route_of(self, path: str) -> str:
        """Return the route, such as `/v1/download/{id}`, or `other`."""
        pattern = ID.sub("{id}", path)
        if pattern in self._exact:
            return pattern
        return next((prefix for prefix in self._prefixes if path.startswith(prefix)), OTHER)

    @cached_property
    def _exact(self) -> frozenset[str]:
        exact = (route for route in self._all if "<" not in route and "(" not in route)
        return frozenset([*exact, *NATIVE])

    @cached_property
    def _prefixes(self) -> list[str]:
        """Beginnings of the routes with parameters other than ids, the longest first."""
        beginnings = {re.split("[<(]", route)[0] for route in self._all - self._exact}
        folders = {f"/{first}/" for each in beginnings if (first := each.split("/")[1])}
        return sorted(folders, reverse=True)

    @cached_property
    def _all(self) -> frozenset[str]:
        routes = frozenset(f"/{route}" for route in _routes(get_resolver().url_patterns))
        # The admin's hundreds of pages are one route.
        return frozenset(route for route in routes if not route.startswith("/admin/")) | {
            "/admin/<page>",
            *(route for route in routes if route.startswith("/admin/retry/{id}")),
        }


def _routes(patterns: list[Any], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = prefix + _with_ids(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route


def _with_ids(route: str) -> str:
    route = CONVERTER.sub(
        lambda found: "{id}" if found[1] in ID_CONVERTERS else f"<{found[1]}>", route
    )
    return route.removeprefix("^").removesuffix("$").removesuffix("\\Z")


routes = Routes()
