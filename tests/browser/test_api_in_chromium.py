"""The API's pages in a browser: answers, forms, the contract; and the operators' admin."""

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


def test_json_is_sent_mended_and_followed(
    of_alice: Page, live_server: Any, broker: Any, refusals: Any
) -> None:
    of_alice.goto(live_server.url + INITIATE)
    field, answer = of_alice.get_by_label("JSON"), of_alice.locator("[data-answer]")

    field.fill('{"file_ids": "all"}')
    of_alice.get_by_role("button", name="POST").click()
    expect(answer).to_contain_text("HTTP 400 Bad Request")
    expect(field).to_have_value('{"file_ids": "all"}')
    field.fill('{"file_ids": [70000], "name": "From the API"}')
    of_alice.get_by_role("button", name="POST").click()
    expect(answer).to_contain_text("HTTP 202 Accepted")
    answer.get_by_role("link").first.click()

    job = DownloadJob.objects.get()
    expect(of_alice).to_have_url(f"{live_server.url}/v1/download/status/{job.pk}")
    expect(answer).to_contain_text('"fileName": "From the API.zip"')
    assert refusals() == 2


def test_where_people_have_a_page_the_api_is_there_too(
    of_alice: Page, live_server: Any, broker: Any
) -> None:
    answer = of_alice.locator("[data-answer]")

    of_alice.goto(live_server.url + "/downloads?format=api")
    of_alice.get_by_role("button", name="POST").click()
    expect(answer).to_contain_text("HTTP 202 Accepted")
    job = DownloadJob.objects.get()
    of_alice.goto(f"{live_server.url}/downloads/{job.pk}?format=api")
    of_alice.get_by_role("button", name="DELETE").click()

    expect(answer).to_contain_text('"status": "cancelled"')
    assert (job.kind, job.name) == ("remote", "measurements.csv")


def test_a_job_is_cancelled_and_run_again(
    of_alice: Page, alice: User, live_server: Any, broker: Any, refusals: Any
) -> None:
    job = JobFactory(owner=alice)
    answer = of_alice.locator("[data-answer]")

    of_alice.goto(f"{live_server.url}/v1/download/{job.pk}")
    of_alice.get_by_role("button", name="DELETE").click()
    expect(answer).to_contain_text('"status": "cancelled"')
    of_alice.goto(f"{live_server.url}/v1/download/{job.pk}/retry")
    of_alice.get_by_role("button", name="POST").click()
    expect(answer).to_contain_text("HTTP 202 Accepted")

    job.refresh_from_db()
    assert job.status == Status.QUEUED
    assert refusals() == 2


def test_an_answer_that_is_no_page_is_shown_as_it_is(
    of_alice: Page, live_server: Any, monkeypatch: pytest.MonkeyPatch, complaints: list[str]
) -> None:
    def bug(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("jobs.web.api.downloads.submit_job", bug)
    of_alice.goto(live_server.url + INITIATE)

    of_alice.get_by_role("button", name="POST").click()

    expect(of_alice.locator("[data-answer]")).to_contain_text('"code": "internal"')
    complaints.clear()


def test_no_answer_is_told_of_and_can_be_sent_again(
    of_alice: Page, live_server: Any, complaints: list[str]
) -> None:
    of_alice.goto(live_server.url + INITIATE)
    of_alice.route("**/initiate", lambda route: route.abort())

    of_alice.get_by_role("button", name="POST").click()

    expect(of_alice.get_by_role("alert")).to_have_text("No response. Try again.")
    expect(of_alice.get_by_role("button", name="POST")).to_be_enabled()
    complaints.clear()


def test_signing_in_leads_back_to_the_address_and_out_again(
    of_alice: Page, live_server: Any, refusals: Any
) -> None:
    of_alice.context.clear_cookies()
    of_alice.goto(f"{live_server.url}/v1/download/jobs?limit=5")

    of_alice.get_by_role("banner").get_by_role("link", name="Sign in").click()
    of_alice.get_by_label("Username").fill("alice")
    of_alice.get_by_label("Password").fill("correct horse")
    of_alice.get_by_role("button", name="Sign in").click()
    expect(of_alice).to_have_url(f"{live_server.url}/v1/download/jobs?limit=5")
    expect(of_alice.locator("[data-answer]")).to_contain_text("HTTP 200 OK")
    of_alice.locator("summary", has_text="Account of alice").click()
    of_alice.get_by_role("button", name="Sign out").click()

    expect(of_alice).to_have_url(f"{live_server.url}/sign-in")
    assert refusals() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_answer_is_wider_than_a_phone(
    of_alice: Page, alice: User, live_server: Any, scheme: Any, refusals: Any
) -> None:
    of_alice.emulate_media(color_scheme=scheme)
    of_alice.set_viewport_size({"width": 360, "height": 800})
    job = JobFactory(owner=alice, name="n" * 176 + ".zip")

    for path in ("jobs", "jobs?limit=0", "initiate", f"status/{job.pk}", f"{job.pk}/retry"):
        of_alice.goto(f"{live_server.url}/v1/download/{path}")
        assert of_alice.evaluate("document.documentElement.scrollWidth") == 360, path
    refusals()


def test_the_contract_can_be_tried_out_with_a_token(
    of_alice: Page, alice: User, live_server: Any
) -> None:
    JobFactory(owner=alice, name="Mine.zip")
    asked: list[str] = []
    of_alice.on("request", lambda request: asked.append(request.url))
    of_alice.context.clear_cookies()
    of_alice.goto(f"{live_server.url}/docs")

    of_alice.locator(".auth-wrapper .authorize").click()
    bearer = of_alice.locator(".auth-container").filter(has_text="bearer")
    bearer.get_by_role("textbox").fill(str(AccessToken.for_user(alice)))
    bearer.get_by_role("button", name="Apply credentials").click()
    bearer.get_by_role("button", name="Close").click()
    jobs = of_alice.locator("#operations-jobs-jobs")
    jobs.locator(".opblock-summary-control").click()
    jobs.get_by_role("button", name="Try it out").click()
    jobs.get_by_role("button", name="Execute").click()

    expect(jobs.locator(".live-responses-table")).to_contain_text("Mine.zip")
    of_alice.locator("#operations-jobs-initiate .opblock-summary-control").click()
    of_alice.locator(".models .json-schema-2020-12-accordion").first.click()
    expect(of_alice.locator("#operations-jobs-initiate")).to_contain_text("70000")
    assert {url.startswith((live_server.url, "data:", "blob:")) for url in asked} == {True}


def test_an_operator_signs_in_to_the_admin_and_cancels(
    of_alice: Page, alice: User, operator: User, live_server: Any
) -> None:
    job = JobFactory(owner=alice)
    job.claim(task_id="task-1", worker="worker@test")
    of_alice.context.clear_cookies()
    of_alice.goto(f"{live_server.url}/admin/")

    of_alice.get_by_label("Username").fill("olga")
    of_alice.get_by_label("Password").fill("correct horse")
    of_alice.get_by_role("button", name="Log in").click()
    of_alice.locator("#content").get_by_role("link", name="Downloads", exact=True).last.click()
    of_alice.get_by_role("link", name=job.name).click()
    of_alice.get_by_role("button", name="Cancel", exact=True).click()

    expect(of_alice.locator(".messagelist")).to_contain_text("Cancelled 1")
    for path in ("storedfile/", "downloadjob/?status__exact=cancelled"):
        of_alice.goto(f"{live_server.url}/admin/jobs/{path}")
    for path in (
        "auth/user/add/",
        f"auth/user/{alice.pk}/change/",
        "django_celery_results/taskresult/",
    ):
        of_alice.goto(f"{live_server.url}/admin/{path}")
        expect(of_alice.locator("#content h1")).to_be_visible()


def test_a_name_without_a_blank_leaves_the_other_columns_in_sight(
    of_alice: Page, alice: User, live_server: Any
) -> None:
    alice.is_staff = alice.is_superuser = True
    alice.save()
    JobFactory(owner=alice, name="x" * 180)

    of_alice.goto(f"{live_server.url}/admin/jobs/downloadjob/")

    expect(of_alice.locator("td.field-created_at")).to_be_in_viewport(ratio=1)
