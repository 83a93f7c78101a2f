"""The form that is made of a kind's Params, in a browser."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from jobs.models import DownloadJob
from tests.browser.test_accessibility import findings

pytestmark = pytest.mark.browser

NEW_YORK = ZoneInfo("America/New_York")
PLACED = datetime(2026, 2, 3, 4, 5, tzinfo=NEW_YORK)


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return browser_context_args | {"timezone_id": str(NEW_YORK)}


@pytest.fixture
def tab(alice_tab: Page, alice: User, add_kinds: Any, live_server: Any) -> Page:
    """Open the form of a kind with every type of field."""
    User.objects.update(email="alice@example.org")
    add_kinds("tests.kinds.SalesExport", "tests.kinds.PlainExport")
    alice_tab.goto(f"{live_server.url}/new/sales-export")
    return alice_tab


def start(tab: Page) -> None:
    tab.get_by_role("button", name="Start").click()


def test_axe_finds_nothing_wrong(tab: Page, refusals: Any) -> None:
    tab.get_by_text("More options").click()

    assert findings(tab) == []

    tab.get_by_label("Year of the sales").fill("1999")
    tab.get_by_label("Tags").fill("ultramarine blue")
    start(tab)
    expect(tab.get_by_role("alert")).to_have_count(4)
    assert findings(tab) == []
    assert refusals() == 1


def test_short_fields_stand_in_pairs_unless_the_screen_is_narrow(tab: Page) -> None:
    def is_beside() -> bool:
        first, second = (
            tab.get_by_label(label).bounding_box()
            for label in ("Year of the sales", "Minimum amount")
        )
        assert first
        assert second
        return first["y"] == second["y"]

    assert is_beside()
    tab.set_viewport_size({"width": 390, "height": 844})
    assert not is_beside()
    assert tab.evaluate("document.documentElement.scrollWidth") == 390


def test_a_time_is_entered_in_the_browsers_time_zone(tab: Page, broker: Any, refusals: Any) -> None:
    tab.get_by_label("Placed before").fill(f"{PLACED:%Y-%m-%dT%H:%M}")
    start(tab)
    expect(tab.get_by_role("alert")).to_have_count(3)
    expect(tab.get_by_label("Placed before")).to_have_value(f"{PLACED:%Y-%m-%dT%H:%M}")
    tab.get_by_label("Customer", exact=True).fill("Marsh")
    tab.get_by_label("Year of the sales").fill("2025")
    tab.get_by_label("First day").fill("2025-01-31")
    start(tab)
    expect(tab.get_by_role("heading", name="Queued")).to_be_visible()

    params = DownloadJob.objects.get().params
    assert datetime.fromisoformat(params["placed_before"]) == PLACED.astimezone(UTC)
    assert params["first_day"] == "2025-01-31"
    expect(tab.locator("main")).to_contain_text(f"{PLACED:%-d %B} at {PLACED:%H:%M}")
    refusals()
