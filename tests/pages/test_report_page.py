"""The form of reports, and the page of a report."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from jobs.kinds.report.kind import Report
from jobs.models import DownloadJob
from jobs.states import Status
from jobs.web.serializers import request_of
from tests.factories import JobFactory
from tests.pages.looks import BROWSER, of, text
from tests.pages.test_link import wrong
from tests.pages.test_one_download import commands

USUAL = {"period": "30d", "as": "pdf"}
DATES = {"period": "dates", "from": "2026-10-01", "to": "2026-10-31"}
TOO_LONG = date(2026, 10, 1) + timedelta(days=366)


def report_of(owner: User, **fields: Any) -> DownloadJob:
    params = {"period": "30d", "format": "pdf", "everybody": False} | fields.pop("params", {})
    report = {"kind": "report", "name": "Report.pdf", "unit": "jobs", "total": 3_400}
    job: DownloadJob = JobFactory(owner=owner, params=params, **report | fields)
    return job


def refused(visitor: Client, changes: dict[str, Any]) -> HttpResponse:
    """Submit, and assert that no job was created. Returns the page with the form."""
    response = visitor.post("/reports", USUAL | changes)

    assert response.status_code == 400
    assert not DownloadJob.objects.exists()
    return response


def chosen(response: Any, name: str) -> list[str]:
    """Return the values of the checked radio buttons or boxes of that name."""
    return re.findall(rf'name="{name}" value="(\w+)" checked', text(response))


def test_a_report_becomes_a_job(visitor: Client, alice: User, broker: Any) -> None:
    response = visitor.post("/reports", USUAL)

    job = DownloadJob.objects.get()
    assert (response.status_code, response["Location"]) == (303, of(job))
    assert (job.owner, job.kind, job.name) == (alice, "report", "Report.pdf")
    assert job.params == {"period": "30d", "format": "pdf", "everybody": False}
    assert visitor.get(of(job)).status_code == 200


def test_a_custom_range_is_used_if_chosen(visitor: Client, broker: Any) -> None:
    visitor.post("/reports", DATES | {"as": "csv"})
    visitor.post("/reports", DATES | {"period": "7d", "as": "csv"})

    own, period = (job.params for job in DownloadJob.objects.order_by("created_at"))
    assert (own["from"], own["to"]) == ("2026-10-01", "2026-10-31")
    assert "period" not in own
    assert period == {"period": "7d", "format": "csv", "everybody": False}


def test_a_double_click_creates_one_report(visitor: Client, broker: Any) -> None:
    found = re.search(r'action="(/reports\?once=\w+)"', text(visitor.get("/reports")))
    assert found

    first, second = (visitor.post(found[1], USUAL) for _ in range(2))
    other = visitor.post(found[1], USUAL | {"as": "csv"})

    assert first["Location"] == second["Location"] != other["Location"]
    assert DownloadJob.objects.count() == 2


def test_the_forms_defaults(visitor: Client) -> None:
    response = visitor.get("/reports")

    assert (chosen(response, "period"), chosen(response, "as")) == (["30d"], ["pdf"])
    dates = re.findall(r'name="(?:from|to)" value="([^"]*)"', text(response))
    first, last = map(date.fromisoformat, dates)
    assert first.day == 1
    assert last + timedelta(days=1) == timezone.now().date().replace(day=1)
    assert first.month == last.month


@pytest.mark.parametrize(
    ("changes", "fields", "sentence"),
    [
        ({"period": "1y"}, {"period"}, "Choose one of the options."),
        ({"period": ""}, {"period"}, "Choose one of the options."),
        ({"as": "docx"}, {"format"}, "Choose one of the options."),
        (DATES | {"from": ""}, {"from"}, "Choose a day."),
        (DATES | {"from": "", "to": "31.10.2026"}, {"from", "to"}, "Choose a day."),
        (DATES | {"to": "2026-02-30"}, {"to"}, "Choose a day on or after the first"),
        (DATES | {"to": "2026-09-30"}, {"to"}, "Choose a day on or after the first"),
        (DATES | {"to": str(TOO_LONG)}, {"to"}, "for at most 366 days."),
        ({"runAt": "2099-01-01T06:00"}, {"runAt"}, "Choose a time within a year."),
        (DATES | {"from": "", "runAt": "soon"}, {"from", "runAt"}, "Choose a date and time"),
    ],
)
def test_an_invalid_field_has_an_error(
    visitor: Client, changes: dict[str, Any], fields: set[str], sentence: str
) -> None:
    html = text(refused(visitor, changes))

    with_errors = set(re.findall(r'id="(\w+)-error" role="alert"', html))
    pointed = set(re.findall(r'aria-describedby="(\w+)-error[ "]', html))
    assert with_errors == pointed == fields
    assert sentence in html


def test_all_values_are_kept(visitor: Client, alice: User) -> None:
    User.objects.update(is_staff=True, is_superuser=True, email="alice@example.org")
    given = DATES | {"to": "2026-01-01", "as": "json", "everybody": "true"}

    response = refused(visitor, given | {"email": ["false", "true"]})

    assert (chosen(response, "period"), chosen(response, "as")) == (["dates"], ["json"])
    assert 'name="from" value="2026-10-01"' in text(response)
    assert 'name="to" value="2026-01-01"' in text(response)
    assert chosen(response, "everybody") == chosen(response, "email") == ["true"]


def test_a_report_on_everybody_needs_a_permission(
    visitor: Client, alice: User, broker: Any
) -> None:
    User.objects.update(is_staff=True)
    for may_see_all in (False, True):
        User.objects.update(is_superuser=may_see_all)
        assert ('name="everybody"' in text(visitor.get("/reports"))) == may_see_all
        visitor.post("/reports", USUAL | {"everybody": "true"})

    everybody = DownloadJob.objects.order_by("created_at").values_list(
        "params__everybody", flat=True
    )
    assert list(everybody) == [False, True]


def test_an_exceeded_limit_is_shown_and_values_are_kept(
    visitor: Client, alice: User, settings: Any
) -> None:
    settings.MAX_ACTIVE_JOBS = 1
    JobFactory(owner=alice)

    response = visitor.post("/reports", DATES | {"as": "csv"})

    assert response.status_code == 429
    assert "Wait for one to finish." in text(response)
    assert (chosen(response, "period"), chosen(response, "as")) == (["dates"], ["csv"])


def test_a_form_sent_without_a_session_is_prefilled_after_sign_in(alice: User) -> None:
    client, login = Client(), {"username": "alice", "password": "correct horse"}

    to_sign_in = client.post("/reports?once=" + "a" * 32, DATES | {"as": "csv"})
    form = client.get(to_sign_in["Location"])
    back = client.post("/sign-in", login | {"next": form.context["next"]})["Location"]

    response = client.get(back, headers=BROWSER)
    assert (chosen(response, "period"), chosen(response, "as")) == (["dates"], ["csv"])
    assert not wrong(response)
    assert not DownloadJob.objects.exists()


def test_a_form_without_a_csrf_token_is_refused_and_returns(alice: User) -> None:
    client = Client(enforce_csrf_checks=True, headers=BROWSER)
    client.force_login(alice)

    response = client.post("/reports", USUAL)

    assert response.status_code == 403
    assert 'href="/reports?period=30d&amp;as=pdf">Go back' in text(response)
    assert not DownloadJob.objects.exists()


def test_its_progress_is_shown_in_jobs(visitor: Client, alice: User) -> None:
    job = report_of(alice, total=None)
    job.claim(task_id="task-1", worker="worker@test")
    job.record(total=3_400)
    job.heartbeat(done=1_200, message="Reading the jobs", speed=600)
    DownloadJob.objects.update(started_at=timezone.now() - timedelta(seconds=2))

    for name in ("job-state", "job-row"):
        html = text(visitor.get(of(job, name))).replace("\u00a0", " ")
        assert "<span>1,200 of 3,400 jobs</span><span>600 jobs/s · about" in html


def test_a_single_job_is_singular(visitor: Client, alice: User) -> None:
    job = report_of(alice, total=1)

    assert "<span>1\u00a0job</span>" in text(visitor.get(of(job)))


@pytest.mark.parametrize(
    ("params", "summary", "facts"),
    [
        ({}, "Your activity as a PDF", ["The last 30 days", "PDF", "you"]),
        (
            {"format": "csv", "everybody": True},
            "Everyone&#x27;s activity as CSV",
            ["The last 30 days", "CSV", "everyone"],
        ),
        (
            {"format": "json", "from": "2026-10-01", "to": "2026-10-31"},
            "Your activity as JSON",
            ["1 October 2026 to 31 October 2026", "JSON", "you"],
        ),
        (
            {"from": "2026-10-01", "to": "2026-10-01"},
            "Your activity as a PDF",
            ["1 October 2026", "PDF", "you"],
        ),
        (
            {"period": "1d"},
            "Your activity as a PDF",
            ["The day it is created", "PDF", "you"],
        ),
    ],
)
def test_its_page_shows_its_range(
    visitor: Client, alice: User, params: dict[str, Any], summary: str, facts: list[str]
) -> None:
    html = text(visitor.get(of(report_of(alice, params=params))))

    assert f"<p>{summary}, requested" in html
    contents = html.split(">The report</h2>")[1]
    assert re.findall("<dd>([^<]*)</dd>", contents) == facts


def test_the_command_requests_the_same(visitor: Client, alice: User) -> None:
    job = report_of(alice)

    (ask,) = commands(visitor.get(of(job)))

    assert ask[2] == "http://testserver/reports"
    serializer = request_of(Report)(data=json.loads(ask[-1]), context={"owner": alice})
    assert serializer.is_valid()
    assert serializer.submission()["params"] == job.params


def test_reports_can_be_searched(visitor: Client, alice: User) -> None:
    report_of(alice, status=Status.FAILED)

    html = text(visitor.get("/downloads", {"kind": "report"}))

    assert "Report.pdf" in html
    assert '<option value="report" selected>Report</option>' in html
