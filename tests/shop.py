"""Kinds of a shop, and the service with them in the setting KINDS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, reload
from typing import Any

from django.conf import settings
from django.test import override_settings
from django.urls import clear_url_caches
from rest_framework import serializers

from jobs.kinds.base import Kind
from jobs.kinds.registry import KINDS, load_kinds
from jobs.models import DownloadJob
from jobs.web.api import document
from jobs.workspace import Workspace


class OrderExport(Kind):
    """The kind of the documentation."""

    name = "order-export"
    label = "Orders as CSV"
    description = "The orders of a year, one on each line"
    content_type = "text/csv"
    suffix = ".csv"

    class Params(serializers.Serializer[Any]):
        """The orders of `year`."""

        year = serializers.IntegerField(min_value=2000, max_value=2100, label="Year")
        paid = serializers.BooleanField(required=False, label="Only paid orders")
        customer = serializers.CharField(required=False, max_length=50)
        since = serializers.DateField(required=False)
        columns = serializers.ListField(
            child=serializers.ChoiceField(["id", "total", "placed"]), required=False
        )

    def load(self, job: DownloadJob) -> tuple[int, list[int]]:
        return job.params["year"], [1, 2, 3]

    def build(self, loaded: tuple[int, list[int]], work: Workspace) -> None:
        year, orders = loaded
        work.plan(len(orders), "orders")
        for order in orders:
            work.output.write(f"{year},{order}\n".encode())
            work.advance(1)


class PrivateExport(OrderExport):
    """One that only those with a permission may request."""

    name = "private-export"
    label = "All orders"
    permission = "jobs.view_downloadjob"


@contextmanager
def installed(*kinds: type[Kind]) -> Iterator[None]:
    """Add kinds to the setting KINDS, and make the routes and the OpenAPI document anew."""
    paths = [f"{kind.__module__}.{kind.__qualname__}" for kind in kinds]
    with override_settings(KINDS=[*settings.KINDS, *paths]):
        _reload()
        yield
    _reload()


def _reload() -> None:
    KINDS.clear()
    KINDS.update(load_kinds())
    document.clear_caches()
    clear_url_caches()
    for module in ("jobs.web.urls", settings.ROOT_URLCONF):
        reload(import_module(module))
