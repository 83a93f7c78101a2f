"""Requests and jobs while Postgres is killed, hangs, refuses writes, or loses its connections."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest
from django.db import DatabaseError, connection

from downloads_project.processes import Process
from jobs.models import DownloadJob
from tests.factories import JobFactory
from tests.faults.crowd import Crowd
from tests.faults.rig import HELD, Rig, slow
from tests.live import children, until

LEASE_SECONDS = 4  # tests/live.py
PATIENT = {"LEASE_SECONDS": "20"}


@pytest.mark.long
def test_database_connections_killed(service: Rig) -> None:
    """All connections to Postgres are terminated each second, ten times, under load."""
    worker = service.worker(**slow(1.5))
    with Crowd(service, 70000, every=0.5) as crowd:
        until(lambda: service.accepted)
        under_fire = set(service.accepted)
        killed = 0
        for _ in range(10):
            killed += terminate_others()
            time.sleep(1)
        recovered = service.timed(lambda: service.post(70000).status_code == 202)

    service.figure("answers that were errors", share(crowd), bound=None, unit="of 1")
    service.figure("until a POST was accepted again", recovered, bound=6)
    service.figure("slowest answer", slowest(crowd), bound=15)
    assert killed > 20
    assert crowd.statuses("post") <= {202, 503}
    assert crowd.statuses("poll") <= {200, 503}
    service.judge()
    assert "no heartbeat" in log_of(worker)
    # A heartbeat reconnected in time: the worker kept its job.
    assert DownloadJob.objects.filter(pk__in=under_fire, losses=0).exists()


@pytest.mark.long
def test_database_restarted(service: Rig) -> None:
    """Postgres is stopped at once and restarted while one job runs and others wait."""
    worker = service.worker(**slow(4), **PATIENT)
    running = [service.initiate(70000) for _ in range(2)]
    for _ in range(4):
        service.initiate(70001)
    for job_id in running:
        service.wait_for(job_id, "processing")

    service.restart("Postgres", stop=signal.SIGQUIT)
    recovered = service.timed(lambda: service.poll(running[0]).status_code == 200)

    service.figure("until polls were answered again", recovered, bound=8)
    service.judge()
    assert "no heartbeat" in log_of(worker)
    assert not DownloadJob.objects.filter(pk__in=running, losses__gt=0).exists()


@pytest.mark.long
def test_database_killed_for_longer_than_a_lease(service: Rig) -> None:
    """Postgres is killed while a job runs, and restarted when the job's lease is over."""
    service.worker(**slow(3))
    job_id = service.initiate(70000)
    service.wait_for(job_id, "processing")

    with Crowd(service, 70000, every=0.5) as crowd:
        service.restart("Postgres", LEASE_SECONDS + 2)
        rescued = DownloadJob.objects.filter(pk=job_id, losses=1)
        service.figure("until its job was queued again", service.timed(rescued.exists), bound=8)
        until(lambda: service.post(70000).status_code == 202)

    service.figure("slowest answer", slowest(crowd), bound=15)
    assert crowd.statuses("post") == {202, 503} or crowd.statuses("post") == {503}
    assert crowd.slowest["health"] < 4
    service.judge()


@pytest.mark.long
def test_database_frozen(service: Rig) -> None:
    """Postgres is frozen for 12 s while a job runs and requests arrive."""
    service.worker(**slow(2))
    service.wait_for(service.initiate(70000), "processing")
    postgres = service.servers["Postgres"]

    with Crowd(service, 70000, every=0.5) as crowd:
        until(lambda: 200 in crowd.statuses("poll"))
        service.freeze(postgres)
        time.sleep(12)
        answered_meanwhile = crowd.refused
        service.thaw(postgres)
        recovered = service.timed(lambda: service.post(70000).status_code == 202)

    service.figure("slowest answer", slowest(crowd), bound=20)
    service.figure("slowest /health", crowd.slowest["health"], bound=4)
    service.figure("until a POST was accepted again", recovered, bound=10)
    assert answered_meanwhile
    assert 503 in crowd.statuses("health")
    assert crowd.statuses("post") <= {202, 503}
    assert crowd.statuses("poll") <= {200, 503}
    service.judge()


@pytest.mark.long
def test_database_connections_hang(service: Rig) -> None:
    """Every open connection to Postgres hangs for good; new ones work."""
    service.worker(**slow(2))
    first = [service.initiate(70000) for _ in range(2)]
    for job_id in first:
        service.wait_for(job_id, "processing")
    time.sleep(0.5)  # by now each heartbeat has a connection

    line = service.lines["Postgres"]
    line.blackhole()
    line.pass_on()
    web = service.timed(lambda: service.post(70000).status_code == 202)
    everything = service.timed(service.all_final, 100)

    service.figure("until the last job was done", everything, bound=50)
    service.figure("until a POST was accepted", web, bound=10)
    service.judge()
    assert DownloadJob.objects.filter(pk__in=first, attempt=2).count() == 2


@pytest.mark.long
def test_database_connections_reset(service: Rig) -> None:
    """The connections to Postgres are reset each half second for 8 s, under load."""
    worker = service.worker(**slow(1))
    line = service.lines["Postgres"]
    with Crowd(service, 70000, every=0.5) as crowd:
        until(lambda: service.accepted)
        for _ in range(16):
            line.reset()
            time.sleep(0.5)
        recovered = service.timed(lambda: service.post(70000).status_code == 202)

    service.figure("answers that were errors", share(crowd), bound=None, unit="of 1")
    service.figure("until a POST was accepted again", recovered, bound=3)
    assert crowd.statuses("post") <= {202, 503}
    assert crowd.statuses("poll") <= {200, 503}
    assert "no heartbeat" in log_of(worker)
    service.judge()


@pytest.mark.long
def test_database_connections_slow(service: Rig) -> None:
    """A delay of 100 ms in each direction between the service and Postgres."""
    service.worker()
    service.lines["Postgres"].delay(0.1)
    job_ids = [service.initiate(70000) for _ in range(4)]

    service.figure("until all were done", service.timed(service.all_final), bound=30)
    service.figure("slowest POST", max(service.posts_seconds), bound=8)
    service.judge()
    # A slow job is not rescued.
    assert not DownloadJob.objects.filter(pk__in=job_ids, attempt__gt=1).exists()


@pytest.mark.long
def test_database_connections_used_up(service: Rig) -> None:
    """Other clients hold every connection that Postgres allows, for 8 s."""
    service.worker(**slow(1))
    service.initiate(70000)
    with Crowd(service, 70000, every=0.5) as crowd:
        until(lambda: service.accepted)
        held: list[psycopg.Connection] = []
        for _ in range(16):
            take_all_connections(held)
            time.sleep(0.5)
        for one in held:
            one.close()
        recovered = service.timed(lambda: service.post(70000).status_code == 202)

    service.figure("until a POST was accepted again", recovered, bound=6)
    service.figure("slowest answer", slowest(crowd), bound=15)
    assert len(held) > 100
    assert crowd.refused
    assert crowd.statuses("post") <= {202, 503}
    assert crowd.statuses("poll") <= {200, 503}
    service.judge()


@pytest.mark.long
def test_database_row_locked(service: Rig) -> None:
    """Another client locks a running job's row for 6 s, longer than its lease."""
    worker = service.worker(**slow(1))
    job_id = service.initiate(70000)
    service.wait_for(job_id, "processing")

    with psycopg.connect(**ours()) as somebody:
        lock = "SELECT 1 FROM jobs_downloadjob WHERE id = %s FOR UPDATE"
        assert somebody.execute(lock, [job_id]).fetchone()
        assert service.poll(job_id).json()["status"] == "processing"
        time.sleep(LEASE_SECONDS + 2)
        somebody.rollback()
    service.figure("until it was done", service.timed(service.all_final), bound=20)

    service.judge()
    assert "LockNotAvailable" in log_of(worker) or "lock timeout" in log_of(worker)


@pytest.mark.long
def test_database_read_only(service: Rig) -> None:
    """Postgres is read-only for 6 s, as a standby after a failover."""
    service.worker(**slow(3))
    job_id = service.initiate(70000)
    service.wait_for(job_id, "processing")

    set_read_only("on")
    refused = service.post(70000)
    poll = service.poll(job_id)
    time.sleep(6)
    still_refused = service.post(70000)
    set_read_only("off")
    recovered = service.timed(lambda: service.post(70000).status_code == 202)

    service.figure("until a POST was accepted again", recovered, bound=5)
    assert [refused.status_code, poll.status_code, still_refused.status_code] == [503, 200, 503]
    assert refused.headers["Retry-After"]
    service.judge()


@pytest.mark.long
def test_database_files_cannot_grow(service: Rig) -> None:
    """The file of the history table cannot grow for 5 s, as on a full disk."""
    worker = service.worker(**HELD)
    running = service.initiate(70000)
    service.wait_for(running, "processing")
    nobodys = JobFactory(status="completed")
    fill_history(nobodys, 17_000_000)

    # Leaves room for a segment of the write-ahead log: only the table is full.
    with files_limited(service.servers["Postgres"], 16 * 1024 * 1024):
        assert is_full(nobodys)
        service.open_gate()
        answers = [service.post(70000).status_code]
        polled = service.poll(running).status_code
        time.sleep(5)
        answers.append(service.post(70000).status_code)
    recovered = service.timed(lambda: service.post(70000).status_code == 202)

    service.figure("until a POST was accepted again", recovered, bound=5)
    assert answers == [503, 503]
    assert polled == 200
    service.judge()
    assert "extend file" in log_of(worker)  # its success could not be recorded at first


def test_response_to_the_commit_of_a_success_lost(service: Rig) -> None:
    """The commit of a success is done, but its connection is lost before the response."""
    service.worker(SABOTAGE="lose_response_to_success")
    job_id = service.initiate(70000)
    service.figure("until it was done", service.timed(service.all_final), bound=10)

    until((service.folder / "commit-lost").exists)  # the row is final a moment before
    service.judge()
    assert service.story(job_id)[-1] == "succeed 1 worker"


@pytest.mark.long
def test_response_to_the_commit_of_a_claim_lost(service: Rig) -> None:
    """The commit of a claim is done, but its connection is lost before the response."""
    service.worker(SABOTAGE="lose_response_to_claim")
    job_id = service.initiate(70000)
    service.figure("until it was done", service.timed(service.all_final), bound=LEASE_SECONDS + 8)

    until((service.folder / "commit-lost").exists)  # the row is final a moment before
    service.judge()
    assert "rescue 1 worker_lost dispatcher" in service.story(job_id)


@pytest.mark.long
def test_database_down_for_longer(service: Rig) -> None:
    """Postgres refuses connections for 36 s, so long that the pauses between reconnects grow."""
    service.worker()
    service.wait_for(service.initiate(70000), "completed")
    line = service.lines["Postgres"]
    with Crowd(service, 70000, every=1) as crowd:
        line.refuse()
        time.sleep(36)
        line.pass_on()
        # Neither web process refuses any more.
        recovered = service.timed(lambda: all(accepts(service) for _ in range(20)))

    service.figure("until every POST was accepted again", recovered, bound=12)
    assert crowd.answers["post"][503] > 5
    service.judge()


def accepts(service: Rig) -> bool:
    return service.post(70000).status_code == 202


def share(crowd: Crowd) -> float:
    """Return the share of 503 among the responses to posts and polls."""
    answers = crowd.answers["post"] + crowd.answers["poll"]
    return answers[503] / answers.total()


def slowest(crowd: Crowd) -> float:
    return max(crowd.slowest["post"], crowd.slowest.get("poll", 0))


def log_of(process: Process) -> str:
    return process.log.read_text(errors="replace")


def ours() -> dict[str, str]:
    """Return how the test itself connects to the database, bypassing the proxy."""
    params = connection.get_connection_params()
    return {name: params[name] for name in ("dbname", "user", "password", "host", "port")}


def terminate_others() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


def set_read_only(state: str) -> None:
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")
        name = connection.settings_dict["NAME"]
        cursor.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {state}')
    terminate_others()
    with connection.cursor() as cursor:  # the test itself can always write
        cursor.execute("SET default_transaction_read_only = off")


def take_all_connections(held: list[psycopg.Connection]) -> None:
    """Terminate the service's connections and take as many as possible."""
    terminate_others_but(held)
    with suppress(psycopg.OperationalError):
        while True:
            held.append(psycopg.connect(**ours()))


def terminate_others_but(held: list[psycopg.Connection]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL(%s)",
            [[one.info.backend_pid for one in held]],
        )


HISTORY = "INSERT INTO jobs_jobevent (job_id, event, by, attempt, code, detail)"


def fill_history(job: DownloadJob, n_bytes: int) -> None:
    """Add rows to the history of an unrelated job until the table's file has that size."""
    with connection.cursor() as cursor:
        # Vacuum must not free space again; no other test of this database needs it to.
        cursor.execute("ALTER TABLE jobs_jobevent SET (autovacuum_enabled = false)")
        cursor.execute(
            f"{HISTORY} SELECT %s, 'claim', 'worker', 1, '', repeat(md5(n::text), 30)"
            " FROM generate_series(1, %s) n",
            [job.pk, n_bytes // 900],
        )
        cursor.execute("SELECT pg_relation_size('jobs_jobevent')")
        assert cursor.fetchone()[0] > n_bytes


def is_full(job: DownloadJob) -> bool:
    """Return True if long and short rows are refused. Rows already written stay."""
    refused = []
    with connection.cursor() as cursor:
        for n_lines, repeats in ((10_000, 30), (100_000, 0)):
            try:
                cursor.execute(
                    f"{HISTORY} SELECT %s, '', '', 1, '', repeat(md5(n::text), %s)"
                    " FROM generate_series(1, %s) n",
                    [job.pk, repeats, n_lines],
                )
            except DatabaseError as error:
                refused.append("extend file" in str(error))
    return refused == [True, True]


@contextmanager
def files_limited(postgres: Process, n_bytes: int) -> Iterator[None]:
    """Limit the size of each file of Postgres, also for backends that it starts later."""
    pid = postgres.popen.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    for one in (pid, *children(pid)):
        with suppress(ProcessLookupError):  # a connection that ends now
            resource.prlimit(one, resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        for one in (pid, *children(pid)):
            with suppress(ProcessLookupError):
                resource.prlimit(one, resource.RLIMIT_FSIZE, (hard, hard))
