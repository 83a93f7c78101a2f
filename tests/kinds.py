"""Kinds as a team writes them: each imports what it needs from jobs.kinds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rest_framework import serializers

from jobs.kinds import BuildError, Kind, Workspace
from jobs.models import DownloadJob


class YearParams(serializers.Serializer[Any]):
    year = serializers.IntegerField(min_value=2000, label="Year")


class NoOrders(BuildError):
    code = "no_orders"
    meaning = "The year has no orders."


class OrderExport(Kind):
    """Writes the orders of a year as CSV, and notes how many."""

    name = "order-export"
    label = "Orders as CSV"
    content_type = "text/csv"
    suffix = ".csv"
    Params = YearParams

    def load(self, job: DownloadJob) -> tuple[int, Iterator[tuple[int, int]]]:
        year = job.params["year"]
        return year, ((number, year) for number in range(3))

    def build(self, loaded: tuple[int, Iterator[tuple[int, int]]], work: Workspace) -> None:
        year, rows = loaded
        if year == 2001:
            raise NoOrders("There are no orders of 2001.")
        work.describe(name=f"Orders of {year}.csv")
        work.plan(3, "orders")
        work.say("Writing the orders")
        for row in rows:
            work.output.write("{},{}\n".format(*row).encode())
            work.advance(1)
        work.note(orders=3)
