"""examples/orders: kinds of a team's own app, through tests, API, page and workers."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import User
from django.test import Client
from orders.kinds import INVOICES, InvoiceZip, NoOrders, OrderExport, OrderWorkbook
from orders.models import Order
from rest_framework.test import APIClient

from jobs.models import DownloadJob
from jobs.states import Status
from jobs.testing import run, run_job
from tests.live import ROOT, Live, on_this_database, until
from tests.pages.looks import BROWSER, text

KINDS = ("orders.kinds.OrderExport", "orders.kinds.OrderWorkbook")
HEAD = ["id", "placed_at", "customer", "total", "is_paid"]


@pytest.fixture
def orders(alice: User, bob: User) -> list[Order]:
    """Return 1,200 orders of Alice in 2025. There are others of 2024 and of Bob."""
    placed = [(alice, 2025)] * 1_200 + [(alice, 2024), (bob, 2025)]
    rows = [
        Order(
            owner=owner,
            placed_at=datetime(year, 5, 1 + n % 28, tzinfo=UTC),
            customer=f"Customer {n}",
            total=n,
            is_paid=n % 2 == 0,
        )
        for n, (owner, year) in enumerate(placed)
    ]
    return Order.objects.bulk_create(rows)[:1_200]


def rows_of(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode())))


def test_the_export_has_the_orders_of_its_owner(alice: User, orders: list[Order]) -> None:
    result = run(OrderExport, owner=alice, year=2025)

    head, *rows = rows_of(result.content)
    assert (result.name, result.content_type) == ("Orders of 2025.csv", "text/csv")
    assert head == HEAD
    assert {int(row[0]) for row in rows} == {order.pk for order in orders}
    assert result.progress[-1] == (1_200, 1_200, "orders")


def test_the_export_may_have_paid_orders_alone(alice: User, orders: list[Order]) -> None:
    rows = rows_of(run(OrderExport, owner=alice, year=2025, paid=True).content)[1:]

    assert len(rows) == 600
    assert {row[4] for row in rows} == {"True"}


def test_a_year_without_orders_fails_with_a_sentence(alice: User) -> None:
    with pytest.raises(NoOrders, match="There are no orders of 2023"):
        run(OrderExport, owner=alice, year=2023)


def test_the_workbook_is_a_table(alice: User, orders: list[Order]) -> None:
    result = run(OrderWorkbook, owner=alice, year=2025)

    assert result.name == "Orders of 2025.xlsx"
    assert result.content[:2] == b"PK"
    assert b"xl/worksheets/sheet1.xml" in result.content
    assert "Writing 1,000 of 1,200 orders" in result.messages


def test_the_zip_has_the_invoices_by_month(alice: User, orders: list[Order]) -> None:
    first, second = orders[0], orders[40]  # on 1 and 13 May
    for order in (first, second):
        order.invoice_key = f"2025/{order.pk}.pdf"
        order.save()
    sources = {
        f"{INVOICES}/{first.invoice_key}": b"%PDF-1",
        f"{INVOICES}/{second.invoice_key}": b"%PDF-2",
    }

    result = run(InvoiceZip, owner=alice, year=2025, sources=sources)

    assert result.name == "Invoices of 2025.zip"
    archive = ZipFile(io.BytesIO(result.content))
    assert sorted(archive.namelist()) == sorted(
        f"05/Invoice {order.pk}.pdf" for order in (first, second)
    )
    assert archive.read(f"05/Invoice {second.pk}.pdf") == b"%PDF-2"


@pytest.mark.django_db(transaction=True)
def test_the_zip_reads_the_bucket_of_the_shop(
    add_kinds: Callable[..., None], bucket: Any, alice: User, orders: list[Order]
) -> None:
    add_kinds("orders.kinds.InvoiceZip")
    bucket.client.create_bucket(Bucket=INVOICES)
    bucket.client.put_object(Bucket=INVOICES, Key="2025/1.pdf", Body=b"%PDF-1")
    Order.objects.filter(pk=orders[0].pk).update(invoice_key="2025/1.pdf")

    finished = run_job(InvoiceZip, owner=alice, year=2025)

    assert finished.job.status == Status.COMPLETED, finished.job.error
    archive = ZipFile(io.BytesIO(finished.content))
    assert [archive.read(name) for name in archive.namelist()] == [b"%PDF-1"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", [OrderExport, OrderWorkbook])
def test_an_attempt_stores_the_file(
    add_kinds: Callable[..., None], alice: User, orders: list[Order], kind: Any
) -> None:
    add_kinds(*KINDS)

    result = run_job(kind, owner=alice, year=2025)

    assert result.job.status == Status.COMPLETED
    assert len(result.content) == result.job.artifact.size_bytes > 1_000


def test_there_is_a_form_and_a_card(
    add_kinds: Callable[..., None], client: Client, alice: User
) -> None:
    add_kinds(*KINDS)
    client.force_login(alice)

    assert "Orders as CSV" in text(client.get("/", headers=BROWSER))
    form = text(client.get("/new/order-workbook", headers=BROWSER))
    assert "Orders as an Excel workbook" in form
    assert 'name="year"' in form


def test_the_api_lists_and_starts_it(
    add_kinds: Callable[..., None], client_of_alice: APIClient, broker: Any
) -> None:
    add_kinds(*KINDS)
    listed = client_of_alice.get("/v1/kinds").json()["results"]

    response = client_of_alice.post("/v1/jobs/order-export", {"year": 2025})

    assert {"order-export", "order-workbook"} <= {each["kind"] for each in listed}
    assert response.status_code == 202
    assert response.json()["fileName"] == "Orders of 2025.csv"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """The service with the example, as docs/kinds.md says."""
    path = os.pathsep.join([str(ROOT / "examples"), os.environ.get("PYTHONPATH", "")])
    env = {"APPS": "orders", "KINDS": ",".join(KINDS), "PYTHONPATH": path}
    live = Live(tmp_path, on_this_database() | env)
    try:
        for name in ("dispatcher", "web", "worker"):
            live.start(name)
        yield live
    finally:
        live.stop()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_real_processes_make_it(
    made_bucket: None, alice: User, orders: list[Order], live: Live
) -> None:
    live.sign_in(alice)

    started = live.session.post(f"{live.url}/v1/jobs/order-export", json={"year": 2025})

    assert started.status_code == 202
    until(lambda: DownloadJob.objects.filter(status=Status.COMPLETED).exists())
    fetched = live.session.get(f"{live.url}/v1/download/result/{started.json()['jobId']}").json()
    assert fetched["size"] == DownloadJob.objects.get().artifact.size_bytes


def test_a_spreadsheet_runs_nothing_of_it(alice: User) -> None:
    placed = datetime(2025, 5, 1, tzinfo=UTC)
    Order.objects.create(owner=alice, placed_at=placed, customer='=HYPERLINK("x")', total=1)

    content = run(OrderExport, owner=alice, year=2025).content

    assert rows_of(content)[1][2] == '\'=HYPERLINK("x")'
