"""The filters of the admin's list of jobs, its columns, and the page of a job."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from jobs.models import DownloadJob
from jobs.models import newest as newest_module
from jobs.operations.admin import shared
from jobs.states import Actor, Status
from tests.factories import JobFactory, StoredFileFactory

LIST = "/admin/jobs/downloadjob/"


@pytest.fixture
def desk(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


def names(desk: Client, **filters: str) -> set[str]:
    response = desk.get(LIST, filters)
    assert response.status_code == 200
    return {job.name for job in response.context["cl"].result_list}


def page_of(desk: Client, job: DownloadJob) -> str:
    return desk.get(f"{LIST}{job.pk}/change/").content.decode()


@pytest.fixture
def jobs_in_each_state(alice: User, bob: User) -> None:
    later = timezone.now() + timedelta(hours=1)
    JobFactory(name="due.zip", owner=alice)
    JobFactory(name="urgent.zip", owner=bob, priority=8)
    JobFactory(name="retry.zip", available_at=later, error_code="timeout", attempt=2)
    JobFactory(name="scheduled.zip", available_at=later)
    JobFactory(name="blocked.zip", held=True)
    JobFactory(name="running.zip", status=Status.PROCESSING)
    stalled = JobFactory(name="stalled.zip", status=Status.PROCESSING)
    DownloadJob.objects.filter(pk=stalled.pk).update(lease_until=Now() - timedelta(seconds=9))
    JobFactory(name="failed.zip", status=Status.FAILED, error_code="timeout", attempt=4)
    JobFactory(name="ready.zip", status=Status.COMPLETED)


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("due", {"due.zip", "urgent.zip"}),
        ("retry", {"retry.zip"}),
        ("scheduled", {"scheduled.zip"}),
        ("blocked", {"blocked.zip"}),
        ("running", {"running.zip", "stalled.zip"}),
        ("stalled", {"stalled.zip"}),
    ],
)
def test_jobs_are_found_by_their_state(
    desk: Client, jobs_in_each_state: None, state: str, found: set[str]
) -> None:
    assert names(desk, state=state) == found


def test_jobs_are_found_by_owner_priority_attempts_and_error(
    desk: Client, jobs_in_each_state: None
) -> None:
    assert names(desk, owner="alice") == {"due.zip"}
    assert names(desk, owner="nobody") == set()
    assert names(desk, state="due", urgency="high") == {"urgent.zip"}
    assert names(desk, attempts="2") == {"retry.zip", "failed.zip"}
    assert names(desk, attempts="4") == {"failed.zip"}
    assert names(desk, error_code="timeout", state="retry") == {"retry.zip"}
    assert len(names(desk, state="no such state", attempts="x", urgency="x")) == 9


def test_a_filter_that_is_typed_keeps_the_others(desk: Client, jobs_in_each_state: None) -> None:
    page = desk.get(LIST, {"state": "due", "owner": "alice", "q": "due"}).content.decode()

    form = page.split('class="owner-filter"')[1].split("</form>")[0]
    assert re.findall(r'name="(\w+)" value="(\w+)"', form) == [
        ("state", "due"), ("q", "due"), ("owner", "alice")
    ]  # fmt: skip


def test_failures_of_the_last_hours_are_found_among_all_jobs(
    desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest_module, "SEARCHED", 1)
    for name, age in (("old.zip", 3), ("new.zip", 0)):
        job = JobFactory(name=name, status=Status.FAILED)
        DownloadJob.objects.filter(pk=job.pk).update(finished_at=Now() - timedelta(hours=age))
    JobFactory(name="latest.zip")

    lately = {"status__exact": "failed", "kind": "bundle"}

    assert names(desk, **lately, finished="1h") == {"new.zip"}
    assert names(desk, **lately, finished="24h") == {"old.zip", "new.zip"}


def test_more_jobs_than_are_counted_show_a_plus(
    desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "LISTED", 3)
    for _ in range(5):
        JobFactory()

    page = desk.get(LIST).content.decode()

    assert "3+ found" in " ".join(page.split())
    assert "3+ downloads" in " ".join(page.split())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("retry.zip", "is-retry"),
        ("blocked.zip", "is-blocked"),
        ("stalled.zip", "is-stalled"),
        ("failed.zip", "is-failed"),
        ("ready.zip", "is-completed"),
    ],
)
def test_each_state_has_its_colour(
    desk: Client, jobs_in_each_state: None, name: str, shown: str
) -> None:
    page = desk.get(LIST, {"q": name}).content.decode()

    assert re.findall(r'class="job-state (is-\w+)"', page) == [shown]


def test_only_the_time_can_be_sorted_by(desk: Client, jobs_in_each_state: None) -> None:
    links = re.findall(r'class="sortable column-(\w+)', desk.get(LIST).content.decode())

    assert links == ["created"]


def test_the_page_of_a_job_shows_each_attempt(desk: Client, queued_job: DownloadJob) -> None:
    queued_job.claim(task_id="t1", worker="w1@here")
    queued_job.retry("timeout", "Too slow.", after_seconds=0)
    queued_job.claim(task_id="t2", worker="w2@here")

    page = page_of(desk, queued_job)

    table = page.split('id="h-attempts"')[1].split("</table>")[0].split("<tbody>")[1]
    rows = [
        [cell.strip() for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)]
        for row in table.split("</tr>")[:-1]
    ]
    assert [[row[0], row[1], row[5], row[6]] for row in rows] == [
        ["1", "w1@here", "Retry", "timeout"],
        ["2", "w2@here", "in progress", ""],
    ]
    assert "the lease ends at" in page


def test_the_page_of_a_job_shows_its_terms_and_files(
    desk: Client, queued_job: DownloadJob, alice: User
) -> None:
    first, then = JobFactory(name="first.zip"), JobFactory(name="then.zip")
    queued_job.after.add(first)
    then.after.add(queued_job)
    StoredFileFactory(made_by=queued_job, owner=alice, name="made.zip", key="results/x/made.zip")
    DownloadJob.objects.filter(pk=queued_job.pk).update(
        webhook="https://example.org/secret", request_id="request-7"
    )

    page = page_of(desk, queued_job)

    for text in ("first.zip", "then.zip", "made.zip", "results/x/made.zip", "request-7"):
        assert text in page
    assert "example.org" in page
    assert "secret" not in page, "the rest of the URL may be one"


def test_a_long_timeline_is_cut(
    desk: Client, queued_job: DownloadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.operations.admin.job_timeline.MAX_EVENTS", 3)
    for _ in range(2):
        queued_job.claim(task_id="t", worker="w@here")
        queued_job.rescue(Actor.DISPATCHER)

    assert "Earlier events are left out." in page_of(desk, queued_job)


def test_the_page_of_a_job_has_few_queries(
    desk: Client, queued_job: DownloadJob, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        queued_job.claim(task_id="t", worker="w@here")
        queued_job.retry("timeout", "Too slow.", after_seconds=0)

    with django_assert_max_num_queries(20):
        page_of(desk, queued_job)
