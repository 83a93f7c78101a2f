"""The API's pages in a browser: responses, forms, the API reference; and the operators' admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect
from rest_framework_simplejwt.tokens import AccessToken

from jobs.models import DownloadJob
from jobs.states import Status
from tests.factories import JobFactory

pytestmark = pytest.mark.browser

INITIATE = "/v1/download/initiate"


def test_json_is_sent_corrected_and_followed(
    alice_tab: Page, live_server: Any, broker: Any, refusals: Any
) -> None:
    alice_tab.goto(live_server.url + INITIATE)
    field, answer = alice_tab.get_by_label("JSON"), alice_tab.locator("[data-answer]")

    field.fill('{"file_ids": "all"}')
    alice_tab.get_by_role("button", name="POST").click()
    expect(answer).to_contain_text("HTTP 400 Bad Request")
    expect(field).to_have_value('{"file_ids": "all"}')
    field.fill('{"file_ids": [70000], "name": "From the API"}')
    alice_tab.get_by_role("button", name="POST").click()
    expect(answer).to_contain_text("HTTP 202 Accepted")
    answer.get_by_role("link").first.click()

    job = DownloadJob.objects.get()
    expect(alice_tab).to_have_url(f"{live_server.url}/v1/download/status/{job.pk}")
    expect(answer).to_contain_text('"fileName": "From the API.zip"')
    assert refusals() == 2


def test_an_address_with_a_page_has_the_api_too(
    alice_tab: Page, live_server: Any, broker: Any
) -> None:
    answer = alice_tab.locator("[data-answer]")

    alice_tab.goto(live_server.url + "/downloads?format=api")
    alice_tab.get_by_role("button", name="POST").click()
    expect(answer).to_contain_text("HTTP 202 Accepted")
    job = DownloadJob.objects.get()
    alice_tab.goto(f"{live_server.url}/downloads/{job.pk}?format=api")
    alice_tab.get_by_role("button", name="DELETE").click()

    expect(answer).to_contain_text('"status": "cancelled"')
    assert (job.kind, job.name) == ("remote", "measurements.csv")


def test_a_job_is_cancelled_and_retried(
    alice_tab: Page, alice: User, live_server: Any, broker: Any, refusals: Any
) -> None:
    job = JobFactory(owner=alice)
    answer = alice_tab.locator("[data-answer]")

    alice_tab.goto(f"{live_server.url}/v1/download/{job.pk}")
    alice_tab.get_by_role("button", name="DELETE").click()
    expect(answer).to_contain_text('"status": "cancelled"')
    alice_tab.goto(f"{live_server.url}/v1/download/{job.pk}/retry")
    alice_tab.get_by_role("button", name="POST").click()
    expect(answer).to_contain_text("HTTP 202 Accepted")

    job.refresh_from_db()
    assert job.status == Status.QUEUED
    assert refusals() == 2


def test_a_response_that_is_not_html_is_shown_unchanged(
    alice_tab: Page, live_server: Any, monkeypatch: pytest.MonkeyPatch, console_messages: list[str]
) -> None:
    def bug(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("jobs.web.api.downloads.submit_job", bug)
    alice_tab.goto(live_server.url + INITIATE)

    alice_tab.get_by_role("button", name="POST").click()

    expect(alice_tab.locator("[data-answer]")).to_contain_text('"code": "internal"')
    console_messages.clear()


def test_a_lost_response_is_reported_and_can_be_retried(
    alice_tab: Page, live_server: Any, console_messages: list[str]
) -> None:
    alice_tab.goto(live_server.url + INITIATE)
    alice_tab.route("**/initiate", lambda route: route.abort())

    alice_tab.get_by_role("button", name="POST").click()

    expect(alice_tab.get_by_role("alert")).to_have_text("No response. Try again.")
    expect(alice_tab.get_by_role("button", name="POST")).to_be_enabled()
    console_messages.clear()


def test_sign_in_returns_to_the_address_and_sign_out_works(
    alice_tab: Page, live_server: Any, refusals: Any
) -> None:
    alice_tab.context.clear_cookies()
    alice_tab.goto(f"{live_server.url}/v1/download/jobs?limit=5")

    alice_tab.get_by_role("banner").get_by_role("link", name="Sign in").click()
    alice_tab.get_by_label("Username").fill("alice")
    alice_tab.get_by_label("Password").fill("correct horse")
    alice_tab.get_by_role("button", name="Sign in").click()
    expect(alice_tab).to_have_url(f"{live_server.url}/v1/download/jobs?limit=5")
    expect(alice_tab.locator("[data-answer]")).to_contain_text("HTTP 200 OK")
    alice_tab.locator("summary", has_text="Account of alice").click()
    alice_tab.get_by_role("button", name="Sign out").click()

    expect(alice_tab).to_have_url(f"{live_server.url}/sign-in")
    assert refusals() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_response_is_wider_than_a_phone(
    alice_tab: Page, alice: User, live_server: Any, scheme: Any, refusals: Any
) -> None:
    alice_tab.emulate_media(color_scheme=scheme)
    alice_tab.set_viewport_size({"width": 360, "height": 800})
    job = JobFactory(owner=alice, name="n" * 176 + ".zip")

    for path in ("jobs", "jobs?limit=0", "initiate", f"status/{job.pk}", f"{job.pk}/retry"):
        alice_tab.goto(f"{live_server.url}/v1/download/{path}")
        assert alice_tab.evaluate("document.documentElement.scrollWidth") == 360, path
    refusals()


def test_the_api_reference_can_be_tried_with_a_token(
    alice_tab: Page, alice: User, live_server: Any
) -> None:
    JobFactory(owner=alice, name="Mine.zip")
    requested: list[str] = []
    alice_tab.on("request", lambda request: requested.append(request.url))
    alice_tab.context.clear_cookies()
    alice_tab.goto(f"{live_server.url}/docs")

    alice_tab.locator(".auth-wrapper .authorize").click()
    bearer = alice_tab.locator(".auth-container").filter(has_text="An access token")
    bearer.get_by_role("textbox").fill(str(AccessToken.for_user(alice)))
    bearer.get_by_role("button", name="Apply credentials").click()
    bearer.get_by_role("button", name="Close").click()
    jobs = alice_tab.locator("#operations-jobs-jobs")
    jobs.locator(".opblock-summary-control").click()
    jobs.get_by_role("button", name="Try it out").click()
    jobs.get_by_role("button", name="Execute").click()

    expect(jobs.locator(".live-responses-table")).to_contain_text("Mine.zip")
    alice_tab.locator("#operations-jobs-initiate .opblock-summary-control").click()
    alice_tab.locator(".models .json-schema-2020-12-accordion").first.click()
    expect(alice_tab.locator("#operations-jobs-initiate")).to_contain_text("70000")
    assert {url.startswith((live_server.url, "data:", "blob:")) for url in requested} == {True}


def test_an_operator_signs_in_to_the_admin_and_cancels(
    alice_tab: Page, alice: User, operator: User, live_server: Any
) -> None:
    job = JobFactory(owner=alice)
    job.claim(task_id="task-1", worker="worker@test")
    alice_tab.context.clear_cookies()
    alice_tab.goto(f"{live_server.url}/admin/")

    alice_tab.get_by_label("Username").fill("olga")
    alice_tab.get_by_label("Password").fill("correct horse")
    alice_tab.get_by_role("button", name="Log in").click()
    alice_tab.locator("#content").get_by_role("link", name="Downloads", exact=True).last.click()
    alice_tab.get_by_role("link", name=job.name).click()
    alice_tab.get_by_role("button", name="Cancel", exact=True).click()

    expect(alice_tab.locator(".messagelist")).to_contain_text("Cancelled.")
    for path in ("storedfile/", "downloadjob/?status__exact=cancelled"):
        alice_tab.goto(f"{live_server.url}/admin/jobs/{path}")
    for path in (
        "auth/user/add/",
        f"auth/user/{alice.pk}/change/",
        "django_celery_results/taskresult/",
    ):
        alice_tab.goto(f"{live_server.url}/admin/{path}")
        expect(alice_tab.locator("#content h1")).to_be_visible()


def test_a_long_name_does_not_hide_other_columns(
    alice_tab: Page, alice: User, live_server: Any
) -> None:
    alice.is_staff = alice.is_superuser = True
    alice.save()
    JobFactory(owner=alice, name="x" * 180)

    alice_tab.goto(f"{live_server.url}/admin/jobs/downloadjob/")

    expect(alice_tab.locator("td.field-created")).to_be_in_viewport(ratio=1)
