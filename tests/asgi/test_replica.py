"""Polls read the replica if it is usable, and the primary otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.db import DEFAULT_DB_ALIAS, OperationalError
from django.test import Client

from jobs.engine import health
from jobs.lib import replica
from jobs.lib.replica import Replica, ReplicaUnavailable
from jobs.models import DownloadJob
from jobs.operations.overview.resources import ReplicaDependency
from jobs.states import Actor, Status
from jobs.web import own_job
from jobs.web.asgi.callers import Caller, caller_of_token
from jobs.web.asgi.job_source import JobSource, OwnJob
from jobs.web.asgi.postgres_commands import PostgresUnavailable, StatementFailed
from jobs.web.poll_responses import seen_version
from tests.asgi.both import Native, Response, ask_django, bearer
from tests.factories import JobFactory
from tests.live import ROOT

STATUS = "/v1/download/status/{}"


class OlderSource(JobSource):
    """The rows as they were when `remember` was called, as a replica that is behind has them."""

    def __init__(self) -> None:
        super().__init__(DEFAULT_DB_ALIAS)
        self.rows: dict[str, OwnJob | None] = {}
        self.error: Exception | None = None
        self.reads = 0

    async def remember(self, caller: Caller, job_id: str) -> None:
        self.rows[job_id] = await super().own(caller, job_id, None)

    async def own(self, caller: Caller, job_id: str, cached: OwnJob | None) -> OwnJob | None:
        self.reads += 1
        if self.error:
            raise self.error
        return self.rows.get(job_id)

    async def changed(self, versions: Mapping[str, int]) -> list[str]:
        if self.error:
            raise self.error
        return []


class Desk:
    """The native endpoints of a process with a replica that is behind."""

    def __init__(self, native: Native, user: User) -> None:
        self.native, self.user, self.source = native, user, OlderSource()
        native.endpoints.jobs._replica = self.source

    def remember(self, job: DownloadJob) -> None:
        caller = caller_of_token(bearer(self.user).encode())
        assert caller
        self.native.run(self.source.remember(caller, str(job.pk)))

    def poll(self, job: DownloadJob, **headers: str) -> Response | None:
        return self.native.request(
            STATUS.format(job.pk), authorization=bearer(self.user), **headers
        )

    def status(self, job: DownloadJob, **headers: str) -> str:
        response = self.poll(job, **headers)
        assert response
        return str(response.json["status"])


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Replica:
    """A replica that is up to date."""
    made = Replica(lambda: 0.0)
    made.check()
    monkeypatch.setattr(replica, "REPLICA", made)
    return made


@pytest.fixture
def desk(native: Native, alice: User, known: Replica) -> Desk:
    return Desk(native, alice)


def test_a_poll_reads_the_replica(desk: Desk, alice: User) -> None:
    job = JobFactory(owner=alice)
    desk.remember(job)
    job.claim(task_id="t", worker="w")

    assert desk.status(job) == "queued"  # what the replica has


def test_a_job_that_the_replica_does_not_have_is_read_from_the_primary(
    desk: Desk, alice: User
) -> None:
    assert desk.status(JobFactory(owner=alice)) == "queued"
    assert desk.source.reads == 1


def test_what_this_process_has_returned_is_not_taken_back(desk: Desk, alice: User) -> None:
    job = JobFactory(owner=alice)
    old = JobFactory(owner=alice)
    for each in (job, old):
        desk.remember(each)
    job.claim(task_id="t", worker="w")
    rows, desk.source.rows = desk.source.rows, {}
    assert desk.status(job) == "processing"
    desk.source.rows = rows

    assert desk.status(job) == "processing"


def test_what_the_client_has_seen_is_not_taken_back(desk: Desk, alice: User) -> None:
    job = JobFactory(owner=alice)
    desk.remember(job)
    job.claim(task_id="t", worker="w")
    etag = ask_django(STATUS.format(job.pk), authorization=bearer(alice)).headers["etag"]

    response = desk.poll(job, if_none_match=etag)

    assert response
    assert response.status == 304


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.EXPIRED])
def test_an_outcome_that_a_retry_ends_is_read_from_the_primary(
    desk: Desk, alice: User, status: Status
) -> None:
    job = JobFactory(owner=alice, status=status)
    desk.remember(job)
    job.requeue(Actor.OWNER, total=1)

    assert desk.status(job) == "queued"


def test_a_completed_job_is_completed_on_the_replica(desk: Desk, alice: User) -> None:
    job = JobFactory(owner=alice, status=Status.COMPLETED)
    desk.remember(job)
    DownloadJob.objects.filter(pk=job.pk).update(message="new")

    assert desk.status(job) == "completed"
    assert desk.source.reads == 1


def test_a_replica_that_breaks_is_left_alone_for_a_while(
    desk: Desk, alice: User, known: Replica
) -> None:
    job = JobFactory(owner=alice)
    desk.source.error = PostgresUnavailable("broken")

    assert desk.status(job) == "queued"
    assert desk.status(job) == "queued"

    assert desk.source.reads == 1
    assert not known.is_usable()


def test_a_statement_that_the_replica_refuses_goes_to_the_primary(
    desk: Desk, alice: User, known: Replica
) -> None:
    desk.source.error = StatementFailed("40001", "conflict with recovery")

    assert desk.status(JobFactory(owner=alice)) == "queued"
    assert known.is_usable()


def test_changes_are_read_from_the_primary_while_the_replica_is_away(
    desk: Desk, alice: User
) -> None:
    job = JobFactory(owner=alice)
    desk.source.error = PostgresUnavailable("broken")

    read = desk.native.run(desk.native.endpoints.jobs.changed({str(job.pk): -1}))

    assert read == [str(job.pk)]


def test_without_a_replica_nothing_is_checked(native: Native, alice: User) -> None:
    started = threading.active_count()
    native.request(STATUS.format(JobFactory(owner=alice).pk), authorization=bearer(alice))

    assert native.endpoints.jobs._replica is None
    assert not any(thread.name == "replica" for thread in threading.enumerate()), started


# Django's view, as under WSGI


@pytest.fixture
def rows(known: Replica, monkeypatch: pytest.MonkeyPatch) -> Mock:
    """What Django finds on the replica."""
    find, on_replica = own_job._find, Mock(return_value=None)
    monkeypatch.setattr(replica, "is_replica_configured", lambda: True)
    monkeypatch.setattr(
        own_job, "_find", lambda alias, pk: (on_replica if alias == "replica" else find)(alias, pk)
    )
    return on_replica


def test_djangos_poll_reads_the_replica(rows: Mock, alice: User) -> None:
    job = JobFactory(owner=alice)
    rows.return_value = own_job._find(DEFAULT_DB_ALIAS, job.pk)
    job.claim(task_id="t", worker="w")

    found = ask_django(STATUS.format(job.pk), authorization=bearer(alice))

    assert found.json["status"] == "queued"
    assert rows.return_value._state.db == DEFAULT_DB_ALIAS


@pytest.mark.parametrize("status", [Status.QUEUED, Status.FAILED])
def test_djangos_poll_reads_the_primary_for_a_newer_version(
    rows: Mock, alice: User, status: Status
) -> None:
    job = JobFactory(owner=alice, status=status)
    rows.return_value = own_job._find(DEFAULT_DB_ALIAS, job.pk)
    if status == Status.FAILED:
        job.requeue(Actor.OWNER, total=1)
    job.claim(task_id="t", worker="w")
    etag = f'"{job.pk.hex}-{job.version}-0"' if status == Status.QUEUED else ""

    found = ask_django(STATUS.format(job.pk), authorization=bearer(alice), if_none_match=etag)

    assert found.json["status"] == "processing"


def test_djangos_poll_survives_an_error_of_the_replica(
    rows: Mock, alice: User, known: Replica
) -> None:
    rows.side_effect = OperationalError("away")

    found = ask_django(STATUS.format(JobFactory(owner=alice).pk), authorization=bearer(alice))

    assert found.status == 200
    assert not known.is_usable()


def test_the_job_of_another_user_is_refused_as_ever(rows: Mock, alice: User, bob: User) -> None:
    job = JobFactory(owner=alice)
    rows.return_value = own_job._find(DEFAULT_DB_ALIAS, job.pk)

    assert ask_django(STATUS.format(job.pk), authorization=bearer(bob)).status == 403


@pytest.mark.parametrize("change", ["delete", "retry"])
def test_changes_are_made_on_the_primary(rows: Mock, alice: User, change: str) -> None:
    job = JobFactory(owner=alice, status=Status.QUEUED if change == "delete" else Status.FAILED)
    path = f"/v1/download/{job.pk}" + ("/retry" if change == "retry" else "")

    ask_django(path, method="DELETE" if change == "delete" else "POST", authorization=bearer(alice))

    assert not rows.called


# The state of the replica


def test_it_is_usable_for_as_long_as_its_rows_are_new_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(replica.time, "monotonic", lambda: now[0])
    found = Replica(lambda: 2.0)
    monkeypatch.setattr(found, "_start_check", lambda: None)
    assert not found.is_usable()

    found.check()
    assert found.is_usable()
    now[0] += 2.9
    assert found.is_usable()
    now[0] += 0.2
    assert not found.is_usable()


def test_it_is_not_used_while_it_is_far_behind() -> None:
    lag = [0.0]
    found = Replica(lambda: lag[0])
    found.check()
    lag[0] = replica.MAX_LAG_SECONDS + 1

    with pytest.raises(ReplicaUnavailable, match="more than 5 s behind"):
        found.check()

    assert not found.is_usable()


def test_being_away_is_logged_once_and_so_is_the_return(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Mock()
    monkeypatch.setattr(replica, "log", log)
    results: list[Any] = [ReplicaUnavailable("away")] * 3 + [0.0, 0.0]

    def read() -> float:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return float(result)

    found = Replica(read)
    while results:
        try:
            found.check()
        except ReplicaUnavailable:
            continue

    assert log.warning.call_count == 1
    assert log.info.call_count == 1


def test_it_is_checked_in_a_thread_and_by_one_at_a_time() -> None:
    began, let_go = threading.Event(), threading.Event()
    checks = []

    def hang() -> float:
        checks.append(1)
        began.set()
        let_go.wait(10)
        return 0.0

    found = Replica(hang)

    assert [found.is_usable() for _ in range(5)] == [False] * 5
    assert began.wait(10)
    let_go.set()
    assert len(checks) == 1


def test_a_server_that_is_no_replica_is_not_used(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "ALIAS", DEFAULT_DB_ALIAS)

    with pytest.raises(ReplicaUnavailable, match="no replica"):
        replica.read_replica_lag()


@pytest.mark.parametrize(
    ("header", "version"),
    [
        ("", 0),
        ("*", 0),
        ('"{hex}-12-5"', 12),
        ('W/"{hex}-12-5"', 12),
        ('"other-1-2", "{hex}-7-5"', 7),
        ('"{hex}-x-5"', 0),
        ('"{hex}-99999999999999-5"', 0),
    ],
)
def test_the_version_that_a_client_has_seen(header: str, version: int) -> None:
    job_id = "0123abcd-0000-4000-8000-000000000000"

    assert seen_version(header.replace("{hex}", job_id.replace("-", "")), job_id) == version


# Health


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("lag", "check"), [(0.0, "ok"), (60.0, "error")])
def test_the_service_is_healthy_without_its_replica(
    client: Client, bucket: Any, monkeypatch: pytest.MonkeyPatch, lag: float, check: str
) -> None:
    probe = health.HealthProbe(Replica(lambda: lag).check)
    monkeypatch.setattr(health, "REPLICA_PROBE", probe)
    monkeypatch.setattr(health, "is_replica_configured", lambda: True)

    response = client.get("/health/ready")

    assert response.status_code == 200
    assert response.json()["status"] == "healthy"
    assert response.json()["checks"]["replica"] == check


def test_the_overview_says_how_far_the_replica_is_behind() -> None:
    assert ReplicaDependency("replica", "Replica", True, 0.04).text == "0.0\u00a0s behind"
    assert "polls read the primary" in ReplicaDependency("replica", "Replica", False, 0.0).text


def test_the_setting_names_a_database_that_is_read_only() -> None:
    code = (
        "from downloads_project.settings import DATABASES as d; r = d['replica'];"
        "print(r['HOST'], r['TEST'], r['OPTIONS']['options'], d['default']['OPTIONS']['options'])"
    )
    env = os.environ | {"DATABASE_REPLICA_URL": "postgresql://u@replica.internal/x"}

    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert done.stdout.startswith("replica.internal {'MIRROR': 'default'} ")
    assert done.stdout.count("-c default_transaction_read_only=on") == 1
