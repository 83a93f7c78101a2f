"""No page reads more of the database when there are more jobs, measured in blocks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jobs.engine import dispatcher, kind_speeds, queue_snapshot
from jobs.models import DownloadJob, JobEvent, newest
from jobs.operations.admin import shared
from jobs.states import ACTIVE, FINAL, Actor, Event, Status
from tests.factories import ArtifactFactory, JobFactory, StoredFileFactory, UserFactory
from tests.pages.looks import BROWSER

FEW, TIMES = 1_000, 20
SEARCHED = 300  # instead of 10,000, so that both numbers of jobs exceed it
MOST_BLOCKS = 2 * SEARCHED + 100  # to find the end of the newest, to check each; and the rest

# The worst order of rows: a filter's matches are older than all others, or only of other users.
# Every second row is the operator's, and rows that are shown together are not stored together.
JOBS = """
    INSERT INTO jobs_downloadjob (
        id, owner_id, kind, name, params, status, created_at, finished_at, lease_until, artifact_id,
        priority, request_id, idempotency_key, request_hash, attempt, failures, losses, task_id,
        worker, version, progress, done, unit, speed, threads, message, error_code, error,
        metadata
    )
    SELECT gen_random_uuid(), owner, 'bundle', name, '{"file_ids": [70000]}', status, at,
        CASE WHEN status NOT IN ('queued', 'processing') THEN at END,
        CASE WHEN status = 'processing' THEN now() + interval '1 hour' END,
        CASE WHEN status = 'completed' THEN %(artifact)s END,
        4, '', '', '', 1, 0, 0, '', '', 1, 0, 9, 'bytes', 0, 0, '', '', '', '{}'
    FROM (
        SELECT now() - n * interval '1 s' AS at,
            CASE WHEN n %% 2 = 0 THEN %(mine)s ELSE %(others)s END AS owner,
            CASE WHEN n %% 2 = 0 THEN n || ' files.zip' ELSE 'Holiday ' || n || '.zip' END AS name,
            CASE WHEN n > %(until)s - 20 THEN 'failed' WHEN n > %(until)s - 40 THEN 'expired'
                WHEN n > %(until)s - 60 THEN 'cancelled' WHEN n %% 2 = 0 THEN 'completed'
                WHEN n < 200 THEN 'processing' WHEN n < 400 THEN 'queued' ELSE 'expired'
            END AS status
        FROM generate_series(%(since)s, %(until)s) n
        ORDER BY md5(n::text)
    ) job
"""
# A quarter is in the catalogue, a quarter newer files of others; results have no file id.
FILES = """
    INSERT INTO jobs_storedfile (
        file_id, owner_id, key, name, content_type, size_bytes, sha256, crc32, role, created_at
    )
    SELECT CASE n %% 4 WHEN 0 THEN 20000 + n WHEN 1 THEN 1000000 + n END,
        CASE WHEN n %% 4 <> 0 THEN %(others)s END, rpad(n || '/', 400, 'long'),
        n || ' files.zip', 'application/zip', 5, '', 0, 'artifact', now()
    FROM generate_series(%(since)s, %(until)s) n
    ORDER BY md5(n::text)
"""

NOTIFICATIONS = """
    INSERT INTO jobs_notification
        (id, owner_id, job_id, channel, "to", content, state, tries, error, created_at)
    SELECT gen_random_uuid(), owner_id, id, 'email', 'somebody@example.com',
        '{"fileName": "2 files.zip", "status": "failed"}',
        'failed', 5, 'The mail server cannot be reached.', created_at
    FROM jobs_downloadjob WHERE id NOT IN (SELECT job_id FROM jobs_notification)
"""


@pytest.fixture
def desk(db: None, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client of an operator who has downloads."""
    monkeypatch.setattr(newest, "SEARCHED", SEARCHED)
    monkeypatch.setattr(shared, "LISTED", SEARCHED)
    client = Client(headers=BROWSER)
    client.force_login(UserFactory(username="mine", is_staff=True, is_superuser=True))
    for n in range(60):
        StoredFileFactory(name=f"measurements {n}.csv", content_type="text/csv")
    return client


def fill(since: int, until: int) -> None:
    """Add so many jobs and files; higher numbers are older."""
    others, _ = User.objects.get_or_create(username="others")
    artifact = ArtifactFactory(owner=others)
    mine = User.objects.get(username="mine")
    numbers = {"mine": mine.pk, "others": others.pk, "since": since, "until": until}
    with connection.cursor() as cursor:
        cursor.execute(JOBS, numbers | {"artifact": artifact.pk})
        cursor.execute(FILES, numbers)
        cursor.execute(NOTIFICATIONS)
        cursor.execute("ANALYZE jobs_downloadjob, jobs_storedfile, jobs_notification")


FIXED = {
    "ask for a link": "/link",
    "upload": "/upload",
    "ask for a report": "/reports",
    "settings": "/settings",
    "choose": "/",
    "choose, common name": "/?search=measurements",
    "choose, no name": "/?search=xyzzy",
    "choose, two letters": "/?search=qx",
    "choose, no such type": "/?type=video",
    "API": "/v1/download/jobs",
    "API, failed": "/v1/download/jobs?status=failed",
    "API, no name": "/v1/download/jobs?search=xyzzy",
    "API, of a kind": "/v1/download/jobs?kind=bundle",
    "API, of another kind": "/v1/download/jobs?kind=remote",
    "API, failed of another kind": "/v1/download/jobs?kind=remote&status=failed",
    "API, name and kind": "/v1/download/jobs?kind=remote&search=files",
    "links": "/downloads?format=json",
    "links, failed": "/downloads?format=json&status=failed",
    "links, name": "/downloads?format=json&search=files",
    "links, no name": "/downloads?format=json&search=xyzzy",
    "admin": "/admin/jobs/downloadjob/",
    "admin, failed": "/admin/jobs/downloadjob/?status__exact=failed",
    "admin, no name": "/admin/jobs/downloadjob/?q=xyzzy",
    "admin, owner": "/admin/jobs/downloadjob/?q=mine",
    "admin, of a kind": "/admin/jobs/downloadjob/?kind=bundle",
    "admin, of another kind": "/admin/jobs/downloadjob/?kind=remote",
    "admin, error code": "/admin/jobs/downloadjob/?error_code=remote_refused",
    "admin, failed lately": "/admin/jobs/downloadjob/?status__exact=failed&finished=7d",
    "admin, failed of another kind": "/admin/jobs/downloadjob/?status__exact=failed&kind=remote",
    "admin, finished lately": "/admin/jobs/downloadjob/?finished=1h",
    "admin, attempts": "/admin/jobs/downloadjob/?attempts=4",
    "admin, of a named owner": "/admin/jobs/downloadjob/?owner=mine&kind=remote",
    "admin, stalled": "/admin/jobs/downloadjob/?state=stalled",
    "admin, retry": "/admin/jobs/downloadjob/?state=retry&kind=remote",
    "admin, overview": "/admin/?range=7d",
    "admin, files": "/admin/jobs/storedfile/",
    "admin, notifications": "/admin/jobs/notification/",
    "admin, waiting": "/admin/jobs/notification/?state=waiting",
    "admin, of an owner": "/admin/jobs/notification/?q=mine",
    "admin, of no job": "/admin/jobs/notification/?q=xyzzy",
}


def pages() -> dict[str, str]:
    """Return the addresses of all pages, by name."""
    mine = DownloadJob.objects.filter(owner__username="mine").order_by("created_at")
    oldest, job = mine[30].pk, mine.last().pk
    foreign = DownloadJob.objects.filter(owner__username="others").first().pk
    filters = {
        "all": "", "active": "status=active", "completed": "status=completed",
        "failed": "status=failed", "ended": "status=ended",
        "of a kind": "kind=bundle", "of a kind I have none of": "kind=remote",
        "far back": f"before={oldest}", "and forward": f"after={oldest}",
        "far back in a state": f"status=completed&before={oldest}",
        "common name": "search=files", "rare name": "search=12+files", "no name": "search=xyzzy",
        "others' name": "search=holiday", "one letter": "search=q", "no failed name":
        "status=failed&search=xyzzy", "name and kind": "search=xyzzy&kind=bundle",
        "id": f"search={oldest}", "id's beginning": f"search={str(oldest)[:8]}",
        "others' id": f"search={foreign}",
    }  # fmt: skip
    lists = {f"list, {name}": f"/downloads?{query}" for name, query in filters.items()}
    of_a_job = {
        "job": f"/downloads/{job}",
        "polled card": f"/downloads/{job}/state",
        "polled row": f"/downloads/{job}/row",
        "link": f"/downloads/{job}?format=json",
        "API, id": f"/v1/download/jobs?search={oldest}",
        "admin, of a job": f"/admin/jobs/notification/?q={oldest}",
    }
    return FIXED | lists | of_a_job


def blocks_read_by_page(desk: Client) -> dict[str, int]:
    return {page: blocks_read(desk, address) for page, address in pages().items()}


def blocks_read(desk: Client, address: str) -> int:
    """Return the blocks read by all queries of the page, by running each again with EXPLAIN."""
    forget_measurements()
    with CaptureQueriesContext(connection) as seen:
        assert desk.get(address).status_code == 200
    return sum(map(blocks_of, selects(seen)))


def forget_measurements() -> None:
    kind_speeds._known.clear()
    queue_snapshot.CACHE.forget()


def selects(seen: CaptureQueriesContext) -> Iterator[str]:
    queries = (query["sql"] for query in list(seen.captured_queries))
    return (query for query in queries if query.startswith(("SELECT", "(SELECT")))


def blocks_of(query: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}")
        found: Any = cursor.fetchone()[0]
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def test_no_page_reads_more_for_twenty_times_as_many_jobs(desk: Client) -> None:
    fill(1, FEW)
    few = blocks_read_by_page(desk)
    fill(FEW + 1, FEW * TIMES)
    many = blocks_read_by_page(desk)

    assert not {page: blocks for page, blocks in few.items() if blocks > MOST_BLOCKS}
    assert not {page: blocks for page, blocks in many.items() if blocks > MOST_BLOCKS}


@pytest.mark.parametrize("query", ["", "?status=completed", "?search=files"])
def test_the_number_of_queries_does_not_depend_on_the_rows(desk: Client, query: str) -> None:
    mine = User.objects.get(username="mine")

    def queries() -> int:
        forget_measurements()
        with CaptureQueriesContext(connection) as seen:
            shown = desk.get(f"/downloads{query}").content.count(b"<h3>")
        assert shown
        return len(seen)

    JobFactory(owner=mine, status=Status.COMPLETED)
    JobFactory(owner=mine, status=Status.QUEUED)
    hold(JobFactory(owner=mine, status=Status.QUEUED))
    for_two = queries()
    for status in [*ACTIVE, *FINAL] * 10:
        JobFactory(owner=mine, status=status)
        hold(JobFactory(owner=mine, status=Status.QUEUED))

    assert queries() == for_two


def hold(job: DownloadJob) -> None:
    """Make it depend on two others."""
    job.after.set(JobFactory.create_batch(2, owner=job.owner, status=Status.PROCESSING))
    DownloadJob.objects.filter(pk=job.pk).update(held=True)


def test_a_poll_does_not_read_a_long_list_of_files(desk: Client) -> None:
    job = JobFactory(owner=User.objects.get(username="mine"))
    JobEvent.objects.record(job, Event.SUBMIT, Actor.OWNER)
    job.claim(task_id="task-1", worker="worker@test")

    with CaptureQueriesContext(connection) as seen:
        desk.get(f"/downloads/{job.pk}/state")
        desk.get(f"/downloads/{job.pk}/row")

    assert not [query for query in selects(seen) if '"params"' in query]


def test_a_heartbeat_writes_to_no_index(running_job: DownloadJob) -> None:
    before = updates()

    for done in range(5):
        running_job.heartbeat(done=done, message=f"Adding {done}")

    made, spared = (now - then for now, then in zip(updates(), before, strict=True))
    assert made == 5
    assert spared >= 4  # the row's page may be full once


def updates() -> tuple[int, int]:
    """Return the numbers of updates of jobs in this transaction, all and without index writes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables"
            " WHERE relname = 'jobs_downloadjob'"
        )
        made, spared = cursor.fetchone()
    return made, spared


def test_an_idle_dispatcher_never_scans_the_table(desk: Client) -> None:
    fill(1, FEW * TIMES)
    look = dispatcher.FastSweeps()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_downloadjob SET status = 'cancelled', finished_at = now(),"
            " lease_until = NULL WHERE status IN ('queued', 'processing')"
        )
        cursor.execute("ANALYZE jobs_downloadjob")
    before = whole_reads()

    for _ in range(12):  # Postgres may use a generic plan after the fifth execution
        look()

    assert whole_reads() == before


def whole_reads() -> int:
    """Return the number of sequential scans of jobs in this transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'jobs_downloadjob'"
        )
        return int(cursor.fetchone()[0])


def test_an_estimate_reads_only_the_last_jobs(desk: Client) -> None:
    fill(1, FEW)

    with CaptureQueriesContext(connection) as seen:
        kind_speeds.measured_speed("bundle")

    assert "LIMIT 200" in next(selects(seen))
    forget_measurements()


def test_finding_old_rows_reads_only_those(desk: Client) -> None:
    fill(1, FEW * TIMES)
    job = DownloadJob.objects.latest("created_at")
    failure = {"code": "unexpected", "detail": "Traceback", "job": job, "attempt": 1}
    JobEvent.objects.bulk_create(
        JobEvent(event=Event.FAIL, by=Actor.WORKER, **failure) for _ in range(FEW)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_jobevent")
    old = timedelta(0)

    with CaptureQueriesContext(connection) as seen:
        assert len(DownloadJob.objects.to_delete(old, among=20)[:10]) == 10
        assert len(JobEvent.objects.with_old_trace(old)[:10]) == 10

    assert [blocks for blocks in map(blocks_of, selects(seen)) if blocks > 200] == []
