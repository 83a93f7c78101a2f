"""Kinds of a shop, with and without a permission."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from jobs.kinds.base import Kind
from jobs.models import DownloadJob
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
