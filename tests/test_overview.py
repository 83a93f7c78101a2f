"""The operators' overview: what is wrong, since when, for whom, and the list behind each number."""

from __future__ import annotations

import re
import threading
import time
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from jobs.engine.health import PROBES
from jobs.models import (
    Alert,
    DownloadJob,
    JobEvent,
    JobStatistics,
    QueueLimit,
    ServiceProcess,
    Usage,
)
from jobs.models.job_statistics import BUCKETS
from jobs.models.lane import make_ready
from jobs.operations.overview import resources
from jobs.states import Actor, Event, Status
from tests.factories import JobFactory, NotificationFactory, UserFactory, staff_who_may
from tests.pages.looks import BROWSER

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def desk(
    client: Client, operator: User, made_bucket: None, monkeypatch: pytest.MonkeyPatch
) -> Client:
    monkeypatch.setattr(resources, "TIMEOUT_SECONDS", 10)  # a busy machine is not unhealthy
    client.force_login(operator)
    return client


@pytest.fixture
def running_service(db: None) -> None:
    Alert.objects.all().delete()  # of a service that another test had
    report("worker", "celery@one", slots=2)
    report("dispatcher", "dispatcher-1@one", tick_seconds=0.004)


def report(role: str, name: str, **values: Any) -> None:
    ServiceProcess.objects.report(role, name, **values)


def stop_reports(name: str) -> None:
    ServiceProcess.objects.filter(name=name).update(seen_at=Now() - 120 * MINUTE)


def page_of(desk: Client, query: str = "") -> str:
    response = desk.get(f"/admin/{query}")
    assert response.status_code == 200
    return unescape(response.content.decode()).replace("\u00a0", " ")


def alerts(page: str) -> list[str]:
    return [line.split(" | ")[0] for line in alert_lines(page)]


def alert_lines(page: str) -> list[str]:
    """Return the lines with what follows each: since when, and its page in the runbook."""
    (found,) = re.findall(r'<ul class="messagelist".*?</ul>', page, re.DOTALL)
    lines = found.replace("<small>", " | ").split("</li>")[:-1]
    return [" ".join(re.sub("<[^>]*>", "", line).split()) for line in lines]


def rows_of(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading."""
    table = page.split(f'id="{heading}"')[1].split("</table>")[0].split("</thead>")[-1]
    lines = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
    return [
        [
            " ".join(re.sub("<[^>]*>", "", cell).split())
            for cell in re.findall(r"<t[hd].*?</t[hd]>", line, re.DOTALL)
        ]
        for line in lines
    ]


def statistics(at: datetime, kind: str = "bundle", **values: Any) -> None:
    JobStatistics.objects.create(start=at.replace(second=0, microsecond=0), kind=kind, **values)


def test_a_running_service_has_nothing_wrong(desk: Client, running_service: None) -> None:
    assert alerts(page_of(desk)) == ["Nothing is wrong."]


def test_a_service_without_processes_says_so(desk: Client) -> None:
    said = alerts(page_of(desk))

    assert said[0].startswith("No workers. No worker is running")
    assert said[1].startswith("No dispatchers. No dispatcher is running")


def test_a_frozen_process_is_named_with_how_long_it_has_not_reported(
    desk: Client, running_service: None
) -> None:
    ServiceProcess.objects.update(seen_at=Now() - timedelta(seconds=46))

    page = page_of(desk)

    said = alerts(page)
    assert re.match(r"No workers. No worker has reported for 4\d s: celery@one.", said[0])
    assert re.match(
        r"No dispatchers. No dispatcher has reported for 4\d s: dispatcher-1@one.", said[1]
    )
    assert rows_of(page, "h-workers")[0][:2] == ["celery@one", "not responding, was idle"]


def test_an_alert_says_since_when_and_names_its_runbook_page(
    desk: Client, running_service: None
) -> None:
    stop_reports("celery@one")
    now = timezone.now()
    Alert.objects.create(rule="no-workers", since=now)
    Alert.objects.create(rule="worker-not-responding", subject="celery@one", since=now - 3 * DAY)

    first, second = alert_lines(page_of(desk))

    assert first.endswith(f"Since {now:%H:%M:%S}. What to do: docs/runbook/no-workers.md")
    assert f"Since {(now - 3 * DAY).day} {now - 3 * DAY:%b %H:%M:%S}." in second
    assert second.endswith("docs/runbook/worker-not-responding.md")


def test_what_was_wrong_in_the_last_day_is_listed_with_its_times(
    desk: Client, running_service: None
) -> None:
    assert "Recently over" not in page_of(desk)
    now = timezone.now()
    times = {"since": now - 2 * MINUTE, "seen_at": now - MINUTE}
    Alert.objects.create(
        rule="jobs-stall", subject="bundle", sentence="Stalled: 1.", resolved_at=now, **times
    )
    Alert.objects.create(rule="no-workers", resolved_at=now - 2 * DAY, **times)
    Alert.objects.create(rule="no-dispatchers", **times)

    (row,) = rows_of(page_of(desk), "h-past")

    assert row[0] == "Jobs stall: Zip"
    assert row[1].endswith(f"{now - 2 * MINUTE:%H:%M:%S}")
    assert row[2].endswith(f"{now - MINUTE:%H:%M:%S}")
    assert row[3:] == ["Stalled: 1.", "docs/runbook/jobs-stall.md"]


def test_processes_that_do_not_respond_are_named_with_the_time_since(
    desk: Client, running_service: None
) -> None:
    report("worker", "celery@two")
    stop_reports("celery@two")

    page = page_of(desk)

    (said,) = alerts(page)
    assert said.startswith("A worker is not responding: celery@two. It has not reported since ")
    assert "Not responding:" in page
    assert "2 h ago" in page


def test_what_waits_is_counted_by_kind_and_priority(desk: Client, running_service: None) -> None:
    for priority in (4, 4, 7, 1):
        JobFactory(priority=priority)
    JobFactory(held=True)
    hour = timezone.now() + timedelta(hours=1)
    JobFactory(available_at=hour)
    JobFactory(available_at=hour, error_code="storage_unavailable")
    JobFactory(status=Status.PROCESSING, worker="celery@one")
    DownloadJob.objects.filter(priority=7).update(available_at=Now() - 60 * MINUTE)

    page = page_of(desk)

    row = next(row for row in rows_of(page, "h-queue") if row[0] == "Zip")
    assert row[1:9] == ["4", "1 / 2 / 1", "1 h", "1", "1", "1", "1", "0"]
    assert rows_of(page, "h-queue")[-1][:3] == ["All", "4", "1 / 2 / 1"]
    assert alerts(page) == [
        "Jobs wait too long: Zip. Jobs due: 4. The oldest has waited for 1 h. Show them"
    ]


def test_a_stalled_job_is_reported_with_its_worker(desk: Client, running_service: None) -> None:
    job = JobFactory(status=Status.PROCESSING, worker="celery@one", name="slow.zip")
    DownloadJob.objects.filter(pk=job.pk).update(lease_until=Now() - timedelta(seconds=5))

    page = page_of(desk)

    assert alerts(page) == [
        "Jobs stall: Zip. Running jobs without a heartbeat, not yet rescued: 1. Show them"
    ]
    (worker,) = rows_of(page, "h-workers")
    assert worker[:4] == ["celery@one", "bundle slow.zip", str(job.owner), "1"]
    assert rows_of(page, "h-longest")[0][0] == "slow.zip"


def test_a_worker_that_only_its_job_names_is_listed(desk: Client, running_service: None) -> None:
    JobFactory(status=Status.PROCESSING, worker="celery@lost")

    workers = rows_of(page_of(desk), "h-workers")
    assert [row[0] for row in workers] == ["celery@lost", "celery@one"]


def test_failures_are_told_apart_by_error_kind_and_owner(
    desk: Client, alice: User, bob: User, running_service: None
) -> None:
    for owner in (alice, bob):
        JobFactory(status=Status.FAILED, error_code="unexpected", owner=owner)
    JobFactory(status=Status.FAILED, error_code="timeout", owner=alice)
    later = timezone.now() + timedelta(hours=1)
    JobFactory(error_code="timeout", available_at=later, owner=alice)
    old = JobFactory(status=Status.FAILED, error_code="source_missing")
    DownloadJob.objects.filter(pk=old.pk).update(finished_at=Now() - timedelta(hours=2))

    page = page_of(desk, "?range=1h")

    rows = [row[:5] for row in rows_of(page, "h-failing")]
    assert sorted(rows) == [
        ["timeout", "bundle", "1", "1", "0"],
        ["unexpected", "bundle", "2", "0", "0"],
    ]
    assert sorted(row[5] for row in rows_of(page, "h-failing")) == ["2", "alice"]
    assert "source_missing" in page_of(desk, "?range=24h")


def test_attempts_that_were_repeated_are_shown_though_their_jobs_completed(
    desk: Client, alice: User, running_service: None
) -> None:
    job = JobFactory(status=Status.PROCESSING, owner=alice)
    for _ in range(4):
        job.events.create(
            event=Event.RETRY, by=Actor.WORKER, attempt=1, code="storage_unavailable", detail="…"
        )
    old = job.events.create(
        event=Event.RETRY, by=Actor.WORKER, attempt=1, code="timeout", detail="…"
    )
    JobEvent.objects.filter(pk=old.pk).update(at=Now() - timedelta(hours=2))

    (row,) = rows_of(page_of(desk, "?range=1h"), "h-failing")

    assert row[:6] == ["storage_unavailable", "bundle", "0", "0", "4", "alice"]
    assert row[7].endswith(" ago")


def test_the_charts_show_the_sums_of_the_period(desk: Client, running_service: None) -> None:
    now = timezone.now()
    statistics(now - MINUTE, completed=30, failed=2, cancelled=1)
    statistics(now - timedelta(hours=5), completed=500)

    hour, day = page_of(desk, "?range=1h"), page_of(desk, "?range=24h")

    assert "completed 30" in hour
    assert "completed 530" in day
    assert len(rows_of(day, "d-done")) == 2
    assert rows_of(hour, "d-done")[0][2:] == ["30", "2", "1", "0", "6.2 %"]
    assert 'class="fill-failed" x=' in hour
    assert "alert from 20 %" in hour


def test_many_failures_are_an_alert(desk: Client, running_service: None) -> None:
    statistics(timezone.now() - MINUTE, completed=19, failed=5)

    assert alerts(page_of(desk, "?range=7d")) == [
        "Many jobs fail: Zip. 5 of 24 jobs failed in the last ten minutes. Show them"
    ]


def test_latencies_are_estimated_from_the_histograms(desk: Client, running_service: None) -> None:
    waits, runs = [0] * BUCKETS, [0] * BUCKETS
    waits[3], runs[-1] = 10, 1  # 0.5 to 1 s; longer than an hour
    sums = {"waits_seconds": 7.5, "pickups_seconds": 5.5, "runs_seconds": 4000}
    statistics(timezone.now() - MINUTE, waits=waits, pickups=waits, runs=runs, **sums)

    row = next(row for row in rows_of(page_of(desk), "h-times") if row[0] == "Zip")

    assert row[1:] == ["0.8 s / 1 s", "0.6 s / 0.6 s", "> 1 h / > 1 h"]


def test_the_owners_of_most_storage_are_named(
    desk: Client, running_service: None, settings: Any
) -> None:
    settings.OWNER_STORAGE_BYTES = 10_000_000
    settings.STORE_BYTES = 20_000_000
    for name, stored in (("ann", 5_000_000), ("ben", 1_000_000)):
        Usage.objects.create(owner=UserFactory(username=name), stored_bytes=stored)

    page = page_of(desk)

    assert "6.0 MB of 20.0 MB, 30 %" in " ".join(page.split())
    assert rows_of(page, "h-storage")[0] == ["ann", "5.0 MB, 50 % of the limit"]


def test_messages_that_are_overdue_are_counted(desk: Client, running_service: None) -> None:
    NotificationFactory(owner=UserFactory(), due_at=timezone.now() - 180 * MINUTE)

    assert ["Mails and webhooks due", "1, oldest 3 h"] in rows_of(page_of(desk), "h-health")


def test_a_server_that_hangs_is_reported_and_the_page_still_comes(
    desk: Client, running_service: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()
    monkeypatch.setattr(resources, "TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(PROBES["storage"], "_check", lambda: let_go.wait(30))

    said = alerts(page_of(desk))

    let_go.set()
    PROBES["storage"].is_healthy(time.monotonic() + 10)
    assert "File store: does not respond." in said


def test_every_number_links_to_a_list(desk: Client, running_service: None) -> None:
    JobFactory()
    JobFactory(priority=9)
    JobFactory(status=Status.PROCESSING)
    JobFactory(status=Status.FAILED, error_code="unexpected")
    statistics(timezone.now() - MINUTE, completed=3, failed=1, cancelled=1)

    links = set(re.findall(r'href="(/admin/jobs/downloadjob/\?[^"]*)"', page_of(desk)))

    assert len(links) > 10
    for link in links:
        assert desk.get(link).status_code == 200, link


def test_the_overview_polls_itself(desk: Client, running_service: None) -> None:
    page = page_of(desk, "?range=7d")

    assert 'hx-get="/admin/?range=7d"' in page
    assert "style=" not in page.split('id="overview"')[1].split("overview-more")[0]


def test_staff_who_may_not_see_jobs_get_the_lists_alone(client: Client, alice: User) -> None:
    JobFactory(owner=alice, status=Status.FAILED, error_code="unexpected")
    client.force_login(staff_who_may("view_storedfile"))
    without = page_of(client)
    client.force_login(staff_who_may("view_downloadjob"))

    assert 'id="overview"' not in without
    assert "Stored files" in without
    assert 'id="overview"' in page_of(client)


def test_the_menu_of_the_pages_leads_staff_to_it(
    client: Client, operator: User, alice: User
) -> None:
    client.force_login(operator)
    of_staff = client.get("/downloads", headers=BROWSER).content.decode()
    client.force_login(alice)

    assert 'href="/admin/"' in of_staff
    assert 'href="/admin/"' not in client.get("/downloads", headers=BROWSER).content.decode()


def test_the_number_of_queries_does_not_depend_on_the_jobs(
    desk: Client, running_service: None, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        JobFactory(status=Status.PROCESSING, worker=f"celery@{number}")
        JobFactory(status=Status.FAILED, error_code=f"code_{number}")

    with django_assert_max_num_queries(27):
        page_of(desk)


def test_task_results_cannot_be_added(desk: Client) -> None:
    assert desk.get("/admin/django_celery_results/taskresult/add/").status_code == 403


def test_pauses_are_shown_with_links(desk: Client, alice: User) -> None:
    assert "Paused or at its limit" not in page_of(desk)
    limit = QueueLimit.objects.create(
        scope="owner", owner=alice, is_paused=True, reason="<b>A flood</b>"
    )
    QueueLimit.objects.create(scope="service", max_running=5)  # not reached

    response = desk.get("/admin/").content.decode()
    (shown,) = re.findall(r'<h2 id="h-limits">.*?</table>', response, re.DOTALL)

    assert f'<a href="/admin/jobs/queuelimit/{limit.pk}/change/">Owner alice</a>' in shown
    assert "Paused" in shown
    assert "&lt;b&gt;A flood&lt;/b&gt;" in shown
    assert "Whole service" not in shown


def test_a_pause_is_among_what_is_wrong_with_who_and_why(
    desk: Client, running_service: None, operator: User, alice: User, bob: User
) -> None:
    for owner in (alice, alice, bob):
        make_ready([JobFactory(kind="report", owner=owner).pk])
    kind = QueueLimit.objects.create(
        scope="kind", name="report", is_paused=True, reason="Moving.", changed_by=operator
    )
    QueueLimit.objects.create(scope="owner", owner=bob, is_paused=True)

    page = page_of(desk)

    since = f"{kind.changed_at:%H:%M}"
    first, second = alerts(page)
    assert re.fullmatch(
        rf"Report is paused since {since}:\d\d by {operator}: Moving. 3 jobs of 2 owners wait."
        " Queue limits",
        first,
    )
    assert second.startswith("Owner bob is paused since ")
    assert second.endswith(" by a command. 1 job of 1 owner waits. Queue limits")
    assert [row[-1] for row in rows_of(page, "h-limits")] == [str(operator), "a command"]


def test_pauses_are_without_links_for_who_may_not_view_them(
    client: Client, db: None, made_bucket: None
) -> None:
    QueueLimit.objects.create(scope="service", is_paused=True)
    client.force_login(staff_who_may("view_downloadjob"))

    page = page_of(client)

    assert "Whole service" in page
    assert "/admin/jobs/queuelimit/" not in page
