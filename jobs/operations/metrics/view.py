"""GET /metrics of the web: its requests, and the figures of the whole service."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client import REGISTRY, CollectorRegistry, values
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from jobs.models import KeyScope
from jobs.operations.metrics.service import ServiceCollector

SCRAPER = "metrics"  # `request.auth` of a request with METRICS_TOKEN


class MetricsTokenAuthentication(BaseAuthentication):
    """A scraper that sends `Authorization: Bearer` with METRICS_TOKEN."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, str] | None:
        scheme, _, token = get_authorization_header(request).partition(b" ")
        expected = settings.METRICS_TOKEN.encode()
        if expected and scheme.lower() == b"bearer" and hmac.compare_digest(token, expected):
            return AnonymousUser(), SCRAPER
        return None

    def authenticate_header(self, _request: Request) -> str:
        return 'Bearer realm="metrics"'


class MayReadMetrics(BasePermission):
    message = "Metrics are for staff, and for scrapers with the METRICS_TOKEN."

    def has_permission(self, request: Request, _view: Any) -> bool:
        return request.auth == SCRAPER or bool(request.user and request.user.is_staff)


class AnyType(BaseRenderer):
    """Accepts any Accept header. It renders only problems, which have their own renderer."""

    media_type = "*/*"
    format = "txt"


class Metrics(APIView):
    """The metrics in the text format of Prometheus, or in OpenMetrics if that is accepted."""

    key_scope = KeyScope.ADMIN
    authentication_classes = [MetricsTokenAuthentication, *APIView.authentication_classes]
    permission_classes = [MayReadMetrics]
    throttle_classes: list[Any] = []
    renderer_classes = [AnyType]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return HttpResponse(encode(AllMetrics()), content_type=content_type)


class AllMetrics(Collector):
    """What this web server counts, then the figures of the whole service."""

    def collect(self) -> Iterator[Metric]:
        yield from _requests().collect()
        yield from _service.collect()


def _requests() -> CollectorRegistry:
    """Return the metrics about requests of all processes of this web server."""
    if values.ValueClass._multiprocess is False:  # one process: `runserver`, tests
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


_service = ServiceCollector()
