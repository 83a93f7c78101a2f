"""A start time is entered in the browser's time zone and sent in UTC."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from jobs import storage
from jobs.models import DownloadJob
from tests.browser.looks import job_that_is, schedule
from tests.browser.test_uploading import choose
from tests.factories import StoredFileFactory

pytestmark = pytest.mark.browser

HERE = ZoneInfo("America/New_York")
SOON = (datetime.now(UTC) + timedelta(days=2)).replace(second=0, microsecond=0)
TYPED = f"{SOON.astimezone(HERE):%Y-%m-%dT%H:%M}"


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return browser_context_args | {"timezone_id": str(HERE)}


@pytest.fixture
def tab(alice_tab: Page, alice: User, broker: Any, made_bucket: None) -> Iterator[Page]:
    User.objects.update(email="alice@example.org")
    StoredFileFactory(name="facade.jpg")
    alice_tab.reload()
    yield alice_tab
    storage.delete_all_objects_but([], prefix="raw/")


def type_time(tab: Page, summary: str = "Schedule", typed: str = TYPED) -> None:
    tab.get_by_text(summary, exact=True).click()
    expect(tab.get_by_text("In your time zone.", exact=True)).to_be_visible()
    tab.get_by_label("Start at").fill(typed)


def assert_scheduled(tab: Page) -> None:
    expect(tab.get_by_role("heading", name="Scheduled")).to_be_visible()
    start_text = f"{SOON.astimezone(HERE):on %-d %B at %H:%M}"
    expect(tab.locator("#state")).to_contain_text(re.compile(f"Starts {start_text}\\."))
    assert DownloadJob.objects.get().run_at == SOON


def test_start_time_of_a_report(tab: Page, live_server: Any) -> None:
    tab.goto(f"{live_server.url}/reports")
    type_time(tab)
    tab.get_by_role("button", name="Create report").click()

    assert_scheduled(tab)


def test_start_time_of_a_link(tab: Page, live_server: Any) -> None:
    tab.goto(f"{live_server.url}/link")
    tab.get_by_label("Web address").fill("https://data.example.org/frames.tar")
    type_time(tab, "More options")
    tab.get_by_role("button", name="Fetch file").click()

    assert_scheduled(tab)


def test_start_time_of_a_zip_after_a_search(tab: Page, live_server: Any) -> None:
    type_time(tab)
    tab.get_by_label("Email me").check()
    tab.get_by_role("searchbox").fill("facade")
    expect(tab).to_have_url(re.compile("search=facade"))
    tab.reload()
    expect(tab.get_by_label("Start at")).to_have_value(TYPED)
    tab.get_by_label("facade.jpg").check()
    tab.get_by_role("button", name="Create zip").click()

    assert_scheduled(tab)
    assert DownloadJob.objects.get().email


def test_a_refused_time_stays_in_its_field(tab: Page, live_server: Any, refusals: Any) -> None:
    tab.goto(f"{live_server.url}/reports")
    type_time(tab, typed="2099-07-01T06:00")
    tab.get_by_role("button", name="Create report").click()

    expect(tab.get_by_role("alert")).to_have_text("Choose a time within a year.")
    expect(tab.get_by_label("Start at")).to_have_value("2099-07-01T06:00")
    assert refusals() == 1


@pytest.mark.parametrize("most", [1_000_000, 1])
def test_start_time_of_an_upload(tab: Page, live_server: Any, settings: Any, most: int) -> None:
    settings.MAX_UPLOAD_BYTES = most
    tab.goto(f"{live_server.url}/upload")
    type_time(tab)
    tab.get_by_label("Email me").check()
    choose(tab, ("notes.txt", b"words"))

    row = tab.locator("#sent > li")
    expect(row).to_contain_text("Scheduled")
    job = DownloadJob.objects.get()
    assert (job.run_at, job.email) == (SOON, True)


def test_each_file_uses_the_form_values_of_its_selection(
    tab: Page, live_server: Any, refusals: Any
) -> None:
    bodies: list[Any] = []

    def note(route: Any) -> None:
        bodies.append(json.loads(route.request.post_data))
        route.fulfill(status=422, json={"detail": "No."})

    tab.route("**/upload/chunked", note)
    tab.goto(f"{live_server.url}/upload")
    tab.evaluate("document.getElementById('drop').dataset.most = 1")
    box = tab.get_by_label("Email me")
    for number, ticked in enumerate((True, False)):
        box.set_checked(ticked)
        choose(tab, (f"{number}.txt", b"words"))
        expect(tab.locator("#sent").get_by_text("Not accepted")).to_have_count(number + 1)

    assert [body["email"] for body in bodies] == [True, False]
    assert not [body for body in bodies if "runAt" in body]
    assert refusals() == 2


def test_the_list_shows_the_start_time(tab: Page, alice: User, live_server: Any) -> None:
    schedule(job := job_that_is("queued", alice))
    job.refresh_from_db()
    tab.goto(f"{live_server.url}/downloads")

    assert job.run_at
    start_text = f"{job.run_at.astimezone(HERE):starts on %-d %B at %H:%M}"
    expect(tab.get_by_role("listitem").first).to_contain_text(start_text)
