"""The errors of somebody's own kind are described as those of the service are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.errors import JOB_CODES
from jobs.kinds.error_codes import job_error_codes, retried_error_codes
from jobs.web.openapi.document import Document
from jobs.web.wording.next_steps import next_step
from tests.factories import JobFactory
from tests.pages.looks import BROWSER, of, text


@pytest.fixture
def export(add_kinds: Callable[..., None]) -> None:
    add_kinds("orders.kinds.OrderExport")


def test_only_those_of_installed_kinds_are_listed(add_kinds: Callable[..., None]) -> None:
    assert job_error_codes() == JOB_CODES

    add_kinds("orders.kinds.OrderExport")

    added = job_error_codes().keys() - JOB_CODES.keys()
    assert added == {"no_orders"}


def test_they_are_in_the_openapi_document(export: None) -> None:
    document = Document.generator_class().get_schema(request=None, public=True)

    assert "no_orders" in document["components"]["schemas"]["ErrorCodeEnum"]["enum"]
    assert "| `no_orders` | There are no orders in the year. |" in document["info"]["description"]


def test_the_page_says_what_went_wrong_and_what_to_do(
    export: None, client: Client, alice: User
) -> None:
    job = JobFactory(owner=alice, kind="order-export", params={"year": 2025, "paid": False})
    job.claim(task_id="task", worker="worker")
    job.fail("no_orders", "There are no orders of 2025.")
    client.force_login(alice)

    page = text(client.get(of(job), headers=BROWSER))

    assert "There are no orders of 2025." in page
    assert "Failed: there are no orders in the year." in page
    assert next_step("order-export", "no_orders").startswith("We won't retry automatically.")


def test_an_error_that_may_pass_is_one_that_was_retried() -> None:
    assert "storage_unavailable" in retried_error_codes()
    assert "source_missing" not in retried_error_codes()
