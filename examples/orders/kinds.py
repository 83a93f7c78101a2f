"""Exports of orders. KINDS names these classes, and nothing else has to know them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from rest_framework import serializers

from jobs.kinds import BuildError, Bundle, Kind, Source, Workspace
from jobs.lib.csv_cells import escaped_cell
from jobs.models import DownloadJob
from orders.models import Order

ROWS = 500  # written at once
INVOICES = "shop-invoices"  # a bucket of the same store
COLUMNS = ("id", "placed_at", "customer", "total", "is_paid")
Row = tuple[Any, ...]


class NoOrders(BuildError):
    code = "no_orders"
    meaning = "There are no orders in the year."


class YearParams(serializers.Serializer[Any]):
    year = serializers.IntegerField(min_value=2000, max_value=2100, label="Year")
    paid = serializers.BooleanField(default=False, label="Only paid orders")


class OrderExport(Kind):
    name = "order-export"
    label = "Orders as CSV"
    description = "Your orders of a year, one on each line"
    content_type = "text/csv"
    suffix = ".csv"
    Params = YearParams

    def default_name(self, params: dict[str, Any]) -> str:
        return f"Orders of {params['year']}{self.suffix}"

    def load(self, job: DownloadJob) -> tuple[int, Iterator[Row]]:
        """Return the number of orders, and their rows, read in batches."""
        orders = orders_of(job.owner, job.params)
        if not (count := orders.count()):
            raise NoOrders(f"There are no orders of {job.params['year']}.")
        return count, orders.values_list(*COLUMNS).iterator(chunk_size=ROWS)

    def build(self, loaded: tuple[int, Iterable[Row]], work: Workspace) -> None:
        count, rows = loaded
        work.plan(count, "orders")
        work.output.write(csv_lines([COLUMNS]))
        for batch in batches(rows):
            work.output.write(csv_lines(batch))
            work.advance(len(batch))


class OrderWorkbook(OrderExport):
    name = "order-workbook"
    label = "Orders as an Excel workbook"
    description = "Your orders of a year, as a table with filters"
    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    suffix = ".xlsx"

    def build(self, loaded: tuple[int, Iterable[Row]], work: Workspace) -> None:
        from xlsxwriter import Workbook

        count, rows = loaded
        work.plan(count, "orders")
        path = work.scratch / "orders.xlsx"  # the format is a zip that ends with its list of parts
        options = {"constant_memory": True, "remove_timezone": True}
        with Workbook(path, options | {"default_date_format": "yyyy-mm-dd hh:mm"}) as workbook:
            sheet = workbook.add_worksheet("Orders")
            sheet.write_row(0, 0, COLUMNS)
            sheet.autofilter(0, 0, count, len(COLUMNS) - 1)
            for number, row in enumerate(rows, 1):
                sheet.write_row(number, 0, row)
                if number % ROWS == 0:
                    work.say(f"Writing {number:,} of {count:,} orders")
                    work.advance(ROWS)
        work.say("Storing the workbook")
        with path.open("rb") as file:
            while chunk := file.read(1024 * 1024):
                work.output.write(chunk)


class InvoiceZip(Bundle):
    name = "invoice-zip"
    label = "Invoices as a zip"
    description = "The PDFs of a year, in a folder for each month"
    Params = YearParams

    def default_name(self, params: dict[str, Any]) -> str:
        return f"Invoices of {params['year']}.zip"

    def sources(self, params: dict[str, Any], owner: User) -> Iterator[Source]:
        for order in orders_of(owner, params).exclude(invoice_key="").iterator(chunk_size=ROWS):
            yield Source(
                key=order.invoice_key,
                bucket=INVOICES,
                name=f"{order.placed_at:%m}/Invoice {order.pk}.pdf",
                label=f"Invoice {order.pk}",
            )


def orders_of(owner: User, params: dict[str, Any]) -> QuerySet[Order]:
    orders = Order.objects.filter(owner=owner, placed_at__year=params["year"])
    return orders.filter(is_paid=True) if params["paid"] else orders


def csv_lines(rows: Iterable[Row]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(map(escaped_cell, row) for row in rows)
    return text.getvalue().encode()


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == ROWS:
            yield batch
            batch = []
    if batch:
        yield batch
