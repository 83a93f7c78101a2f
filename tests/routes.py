"""Return all URL patterns of the API and the pages, including those of the kinds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.urls import URLPattern, URLResolver

from jobs.web.urls import urlpatterns


def routes(patterns: Iterable[URLPattern | URLResolver] = urlpatterns) -> Iterator[URLPattern]:
    """Yield each pattern once: those of the kinds are included without a prefix."""
    seen: set[str] = set()
    for each in flattened(patterns):
        if str(each.pattern) not in seen:
            seen.add(str(each.pattern))
            yield each


def flattened(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from flattened(each.url_patterns)
        else:
            yield each
