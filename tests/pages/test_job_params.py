"""What the page of a job says about its request, for a kind that says nothing itself."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import JobFactory
from tests.pages.looks import of, text

PARAMS = {
    "forgotten": "field",  # which Params had once
    "customer": "Marsh & Sons",
    "year": 2025,
    "rate": 1.5,
    "separator": "comma",
    "region": "de",
    "first_day": "2025-01-31",
    "placed_before": "2026-02-03T04:05:00Z",
    "columns": ["id", "total"],
    "tags": ["red", "blue"],
    "note": "",
    "with_vat": True,
    "drafts": False,
    "paid": None,
    "layout": {"a": 1},
}
FACTS = {
    "Customer": "Marsh &amp; Sons",
    "Year of the sales": "2025",
    "Exchange rate": "1.5",
    "Separator": "Comma",
    "Region": "Germany",
    "First day": "31 January 2025",
    "Placed before": "3 February 2026 at 04:05",
    "Columns": "Number, Total",
    "Tags": "red, blue",
    "Prices with VAT": "Yes",
    "Include drafts": "No",
    "Layout": "{&#x27;a&#x27;: 1}",
    "forgotten": "field",
}


@pytest.fixture(autouse=True)
def kinds(add_kinds: Any) -> None:
    add_kinds("tests.kinds.SalesExport", "tests.kinds.PlainExport")


def test_values_are_words_in_the_order_of_the_fields(visitor: Client, alice: User) -> None:
    job = JobFactory(owner=alice, kind="sales-export", params=PARAMS)

    html = text(visitor.get(of(job))).split(">The request</h2>")[1]

    facts = re.findall(r"<dt>([^<]*)</dt><dd>(?:<time[^>]*>)?([^<]*)", html)
    assert facts == list(FACTS.items())
    assert '<time datetime="2026-02-03T04:05:00+00:00" data-time="moment">' in html


def test_long_values_are_cut(visitor: Client, alice: User) -> None:
    job = JobFactory(owner=alice, kind="sales-export", params={"customer": "x" * 300})

    assert f"<dd>{'x' * 200}</dd>" in text(visitor.get(of(job)))


def test_a_request_without_values_is_not_shown(visitor: Client, alice: User) -> None:
    job = JobFactory(owner=alice, kind="plain-export", params={})

    assert "The request" not in text(visitor.get(of(job)))
