"""Export any list of the admin in the background: as filtered and searched, with its rights."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zipfile import ZipFile

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from orders.admin import OrderAdmin
from orders.models import Order

from jobs.kinds.model_export.kind import ListChanged, ListForbidden, ModelExport
from jobs.kinds.model_export.write import ModelRows, write_rows
from jobs.models import DownloadJob
from jobs.states import Status
from jobs.testing import MemoryWorkspace
from tests.pages.looks import BROWSER, text

LIST, EXPORT = "/admin/orders/order/", "/admin/orders/order/export/"
ALL = ["id", "owner", "placed_at", "customer", "total", "is_paid", "invoice_key"]
FORM = {"fields_chosen": ["customer", "total"], "format": "csv"}


@pytest.fixture(autouse=True)
def kinds(add_kinds: Callable[..., None], broker: Any) -> None:
    add_kinds("jobs.kinds.model_export.kind.ModelExport")


@pytest.fixture
def orders(alice: User, bob: User) -> list[Order]:
    placed = datetime(2025, 5, 1, tzinfo=UTC)
    names = ["Marsh", "Marsh & Sons", "Lee", "=1+1"]
    return [
        Order.objects.create(
            owner=bob, placed_at=placed, customer=name, total=n + 1, is_paid=n % 2 == 0
        )
        for n, name in enumerate(names)
    ]


@pytest.fixture
def staff(client: Client, alice: User) -> Client:
    """A client of Alice, who may view orders in the admin."""
    alice.is_staff = True
    alice.save()
    alice.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(alice)
    return client


def job_of(alice: User, query: str = "", **params: Any) -> DownloadJob:
    usual = {"model": "orders.order", "title": "orders", "fields": ALL, "format": "csv"}
    return DownloadJob(owner=alice, kind=ModelExport.name, params=usual | {"query": query} | params)


def loaded_rows(job: DownloadJob) -> list[Any]:
    return list(ModelExport().load(job).rows)


def test_the_list_has_a_button_with_its_filter(staff: Client, orders: list[Order]) -> None:
    page = text(staff.get(f"{LIST}?is_paid__exact=1&q=Marsh&p=1"))

    assert f'<a href="{EXPORT}?is_paid__exact=1&amp;q=Marsh">Export…</a>' in page


def test_without_the_kind_there_is_no_button(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs.kinds.registry import KINDS

    monkeypatch.delitem(KINDS, ModelExport.name)

    assert "Export…" not in text(staff.get(LIST))
    assert staff.get(EXPORT).status_code == 403


def test_the_form_offers_the_fields_and_formats(staff: Client) -> None:
    page = text(staff.get(EXPORT))

    assert all(f'value="{name}"' in page for name in [*ALL, "csv", "xlsx"])


def test_the_form_starts_a_job_with_the_query(
    staff: Client, alice: User, orders: list[Order]
) -> None:
    response = staff.post(f"{EXPORT}?q=Marsh", FORM)

    job = DownloadJob.objects.get()
    assert response["Location"] == f"/downloads/{job.pk}"
    assert (job.owner, job.name) == (alice, "orders.csv")
    assert job.params["query"] == "q=Marsh"
    assert "CSV of orders, requested" in text(staff.get(response["Location"], headers=BROWSER))


@pytest.mark.parametrize(
    "changes", [{"fields_chosen": []}, {"fields_chosen": ["password"]}, {"format": "exe"}]
)
def test_an_invalid_form_is_shown_again(staff: Client, changes: dict[str, Any]) -> None:
    response = staff.post(EXPORT, FORM | changes)

    assert response.status_code == 200
    assert "errorlist" in text(response)
    assert not DownloadJob.objects.exists()


def test_who_may_not_view_the_rows_may_not_export_them(
    client: Client, alice: User, staff: Client
) -> None:
    alice.user_permissions.clear()

    assert staff.get(EXPORT).status_code == 403
    assert staff.post(EXPORT, FORM).status_code == 403
    with pytest.raises(ListForbidden):
        ModelExport().load(job_of(User.objects.get(pk=alice.pk)))


def test_the_right_to_export_is_checked_again(
    alice: User, staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OrderAdmin, "has_export_permission", lambda self, request: False)

    with pytest.raises(ListForbidden):
        ModelExport().load(job_of(alice))


def test_somebody_who_left_the_staff_gets_nothing(alice: User, staff: Client) -> None:
    alice.is_staff = False

    with pytest.raises(ListForbidden):
        ModelExport().load(job_of(alice))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Marsh", "Marsh & Sons", "Lee", "=1+1"]),
        ("q=marsh", ["Marsh", "Marsh & Sons"]),
        ("is_paid__exact=1", ["Marsh", "Lee"]),
        ("is_paid__exact=1&q=marsh", ["Marsh"]),
        ("placed_at__year=2024", []),
        ("o=-3", ["=1+1", "Lee", "Marsh & Sons", "Marsh"]),
    ],
)
def test_it_has_the_rows_of_the_list(
    alice: User, staff: Client, orders: list[Order], query: str, names: list[str]
) -> None:
    job = job_of(alice, query, fields=["customer"])

    assert [name for (name,) in loaded_rows(job)] == names


def test_the_queryset_of_the_admin_is_respected(
    alice: User, staff: Client, orders: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Order.objects.filter(owner=alice)
    monkeypatch.setattr(OrderAdmin, "get_queryset", lambda self, request: own)

    assert loaded_rows(job_of(alice)) == []


@pytest.mark.parametrize(
    "params",
    [{"model": "orders.gone"}, {"fields": ["gone"]}, {"query": "nothing__exact=1"}],
)
def test_a_list_that_has_changed_fails_with_a_sentence(
    alice: User, staff: Client, params: dict[str, Any]
) -> None:
    with pytest.raises(ListChanged):
        ModelExport().load(job_of(alice, **params))


def test_a_model_that_left_the_admin_fails_with_a_sentence(alice: User, staff: Client) -> None:
    admin.site.unregister(Order)
    try:
        with pytest.raises(ListChanged):
            ModelExport().load(job_of(alice))
    finally:
        admin.site.register(Order, OrderAdmin)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("format_name", ["csv", "xlsx"])
def test_an_attempt_makes_the_file(
    staff: Client, alice: User, orders: list[Order], made_bucket: None, format_name: str
) -> None:
    from jobs import storage
    from jobs.engine import runner

    staff.post(f"{EXPORT}?q=marsh", FORM | {"format": format_name})
    job = DownloadJob.objects.get()
    runner.run_job(job.pk, task_id="test", worker="test")

    job.refresh_from_db()
    assert (job.status, job.total, job.unit) == (Status.COMPLETED, 2, "rows")
    assert job.artifact is not None
    content = b"".join(storage.read_object(job.artifact.key))
    if format_name == "csv":
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
        assert rows == [["Customer", "Total"], ["Marsh", "1.00"], ["Marsh & Sons", "2.00"]]
    else:
        sheet = ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml").decode()
        assert sheet.count("<row ") == 3


def test_text_stays_text(alice: User, staff: Client, orders: list[Order]) -> None:
    for format_name, expected in [("csv", b"'=1+1"), ("xlsx", b"PK")]:
        work = MemoryWorkspace()
        write_rows(ModelRows(format_name, "Orders", ["Customer"], 1, [["=1+1"]]), work)
        assert expected in work.content
        if format_name == "xlsx":
            sheet = ZipFile(io.BytesIO(work.content)).read("xl/worksheets/sheet1.xml")
            assert b"<f>" not in sheet
        work.close()


def test_numbers_stay_numbers_in_a_workbook() -> None:
    rows = ModelRows("xlsx", "Orders", ["Total"], 2, [[Decimal("7.50")], [math.nan]])
    work = MemoryWorkspace()

    write_rows(rows, work)

    sheet = ZipFile(io.BytesIO(work.content)).read("xl/worksheets/sheet1.xml")
    work.close()
    assert b"<v>7.50</v>" in sheet
    assert b"#NUM!" in sheet


def test_programs_cannot_request_it(client_of_alice: Any) -> None:
    listed = client_of_alice.get("/v1/kinds").json()["results"]

    assert ModelExport.name not in {each["kind"] for each in listed}
    assert client_of_alice.post("/v1/jobs/model-export", {}).status_code == 404
