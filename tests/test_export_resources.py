"""Export a list of the admin with the columns of django-import-export's resources."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zipfile import ZipFile

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import QueryDict
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from orders.admin import OrderAdmin
from orders.models import Order

from jobs.kinds.model_export import resources as export_resources
from jobs.kinds.model_export.kind import ListChanged, ModelExport
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob
from jobs.testing import MemoryWorkspace
from tests.pages.looks import text

order_resources = pytest.importorskip("tests.order_resources", reason="not after `make install`")
EXPORT = "/admin/orders/order/export/"


@pytest.fixture(autouse=True)
def kinds(add_kinds: Callable[..., None], broker: Any) -> None:
    add_kinds("jobs.kinds.model_export.kind.ModelExport")


@pytest.fixture
def operator(client: Client, alice: User) -> Client:
    """A client of Alice, who is a superuser."""
    alice.is_staff = alice.is_superuser = True
    alice.save()
    client.force_login(alice)
    return client


@pytest.fixture
def orders(alice: User) -> list[Order]:
    placed = datetime(2025, 5, 1, tzinfo=UTC)
    return [
        Order.objects.create(
            owner=alice, placed_at=placed, customer=name, total=total, is_paid=total > 0
        )
        for name, total in [("Marsh", 7), ("=1+1", -2)]
    ]


@pytest.fixture
def resource(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        OrderAdmin, "resource_classes", [order_resources.OrderResource], raising=False
    )


def exported(job: DownloadJob) -> bytes:
    kind, work = ModelExport(), MemoryWorkspace(kind=ModelExport)
    try:
        kind.build(kind.load(job), work)
    finally:
        work.close()
    return work.content


def csv_of(job: DownloadJob) -> list[list[str]]:
    return list(csv.reader(io.StringIO(exported(job).decode("utf-8-sig"))))


def submitted(operator: Client, query: str = "", **form: Any) -> DownloadJob:
    response = operator.post(f"{EXPORT}?{query}", {"format": "csv"} | form)
    assert response.status_code == 302, text(response)
    return DownloadJob.objects.get()


def test_the_form_offers_the_columns_of_the_resource(operator: Client, resource: None) -> None:
    page = text(operator.get(EXPORT))

    assert all(f'value="{name}"' in page for name in ("id", "buyer", "total", "is_paid"))
    assert "Bought by" in page
    assert 'value="customer"' not in page


def test_the_file_has_what_the_resource_writes(
    operator: Client, orders: list[Order], resource: None
) -> None:
    job = submitted(operator, fields_chosen=["is_paid", "buyer", "total"])

    assert csv_of(job) == [
        ["Bought by", "Amount", "is_paid"],
        ["MARSH", "7.00", "1"],
        ["'=1+1", "-2.00", "0"],
    ]


def test_the_filter_of_the_list_applies(
    operator: Client, orders: list[Order], resource: None
) -> None:
    job = submitted(operator, "q=marsh", fields_chosen=["buyer"])

    assert csv_of(job) == [["Bought by"], ["MARSH"]]


def test_a_workbook_has_native_values(
    operator: Client, orders: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OrderAdmin, "resource_classes", [order_resources.AllOfOrder], raising=False)
    job = submitted(operator, format="xlsx", fields_chosen=["id", "is_paid"])

    sheet = ZipFile(io.BytesIO(exported(job))).read("xl/worksheets/sheet1.xml").decode()
    assert f"<v>{orders[0].pk}</v>" in sheet
    assert 't="b"><v>1</v>' in sheet


def test_of_several_resources_one_is_chosen(
    operator: Client, alice: User, orders: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        OrderAdmin,
        "get_export_resource_classes",
        lambda self, request: [order_resources.OrderResource, order_resources.PaidOrders],
        raising=False,
    )
    monkeypatch.setattr(
        OrderAdmin,
        "get_export_resource_kwargs",
        lambda self, request: {"user": request.user},
        raising=False,
    )
    page = text(operator.get(EXPORT))

    assert 'value="OrderResource"' in page
    assert 'value="PaidOrders"' in page
    assert "fields_chosen" not in page
    assert csv_of(submitted(operator, resource="PaidOrders")) == [["customer"], ["Marsh"]]


@pytest.mark.parametrize("changes", [{"resource": "Gone"}, {"fields": ["gone"]}])
def test_a_resource_that_has_changed_fails_with_a_sentence(
    operator: Client, alice: User, resource: None, changes: dict[str, Any]
) -> None:
    params = {"model": "orders.order", "title": "orders", "query": "", "format": "csv"}
    params |= {"resource": "OrderResource", "fields": ["buyer"]} | changes

    with pytest.raises(ListChanged):
        ModelExport().load(DownloadJob(owner=alice, kind=ModelExport.name, params=params))


def test_rows_are_read_in_batches(
    operator: Client,
    orders: list[Order],
    resource: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server-side cursor: not all rows are in memory at once."""
    monkeypatch.setattr(export_resources, "READ_AT_ONCE", 1)
    job = submitted(operator, fields_chosen=["buyer"])

    with CaptureQueriesContext(connection) as queries:
        rows = ModelExport().load(job).rows
        next(iter(rows))

    assert any("DECLARE" in query["sql"] for query in queries)


def answer(alice: User, method: str = "GET", **form: Any) -> str:
    request = RequestFactory().generic(method, EXPORT)
    request.user = alice  # type: ignore[attr-defined]
    request.POST = QueryDict(mutable=True)  # type: ignore[misc]
    request.POST.update(form)
    response: Any = order_resources.MixedAdmin(Order, admin.site).export_view(request)
    return text(response.render() if hasattr(response, "render") else response)


def test_beside_the_mixin_of_import_export_the_export_is_a_job(
    operator: Client, alice: User
) -> None:
    assert "Bought by" in answer(alice)


def test_the_action_for_selected_rows_stays_import_exports(operator: Client, alice: User) -> None:
    assert answer(alice, "POST", export_items="1") == "import-export"


def test_without_the_kind_the_export_stays_import_exports(
    operator: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(KINDS, ModelExport.name)

    assert answer(alice) == "import-export"


def test_the_permission_of_import_export_is_asked_too(
    operator: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        order_resources.ExportMixin, "has_export_permission", lambda self, request: False
    )

    with pytest.raises(PermissionDenied):
        answer(alice)


def test_the_library_need_not_be_installed() -> None:
    program = (
        "import sys; sys.modules['import_export'] = None\n"
        "import django; django.setup()\n"
        "import jobs.kinds.model_export.admin, jobs.kinds.model_export.resources"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=settings.BASE_DIR, capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr.decode()
