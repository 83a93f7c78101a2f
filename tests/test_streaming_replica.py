"""Polls read a streaming replica of Postgres, and the primary while it cannot be used."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import requests
from django.contrib.auth.models import User

from downloads_project.local.ports import free_ports
from downloads_project.local.postgres_server import PostgresServer
from downloads_project.local.programs import postgres_programs
from jobs.models import DownloadJob
from jobs.states import Actor
from tests.factories import JobFactory
from tests.live import Live, on_this_database, until

pytestmark = pytest.mark.django_db(transaction=True)

POLLS = 40
SCANS = "SELECT sum(idx_scan) FROM pg_stat_user_tables WHERE relname = 'jobs_downloadjob'"


class StreamingReplica:
    """A replica of the tests' Postgres, made by pg_basebackup."""

    def __init__(self, folder: Path) -> None:
        self._primary = on_this_database()["DATABASE_URL"]
        parts = urlsplit(self._primary)
        assert parts.password
        port = next(free_ports(str(folder)))
        self.url = parts._replace(netloc=f"postgres:{parts.password}@127.0.0.1:{port}").geturl()
        program = postgres_programs() / "pg_basebackup"
        options = ["--pgdata", folder / "postgres", "--checkpoint=fast", "--write-recovery-conf"]
        subprocess.run([program, *options, "--dbname", self._primary], check=True, timeout=120)
        (folder / "postgres").chmod(0o700)
        self._server = PostgresServer(folder, password=parts.password, port=port, durable=False)
        self.start()

    def start(self) -> None:
        self._server.process.start()
        self._server.ready()

    def stop(self) -> None:
        self._server.process.ask_to_stop()
        self._server.process.end(20)

    def freeze(self) -> None:
        os.killpg(self._server.process.popen.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        with suppress(ProcessLookupError):  # it was stopped
            os.killpg(self._server.process.popen.pid, signal.SIGCONT)

    def run(self, query: str) -> object:
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(query).fetchone()
        assert row
        return row[0]

    def catch_up(self) -> None:
        with psycopg.connect(self._primary, autocommit=True) as connection:
            row = connection.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
        assert row
        until(lambda: self.run(f"SELECT pg_last_wal_replay_lsn() >= '{row[0]}'::pg_lsn"))

    def scans(self) -> tuple[int, int]:
        """Return how often the table of jobs was read on the primary, and on the replica."""
        found = []
        for url in (self._primary, self.url):
            with psycopg.connect(url, autocommit=True) as connection:
                row = connection.execute(SCANS).fetchone()
            assert row
            found.append(int(row[0] or 0))
        return found[0], found[1]


@pytest.fixture
def replica() -> Iterator[StreamingReplica]:
    if not (postgres_programs() / "pg_basebackup").exists():
        pytest.skip("needs pg_basebackup")
    folder = Path(tempfile.mkdtemp(prefix="downloads-replica-"))
    made = StreamingReplica(folder)
    yield made
    made.thaw()
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def live(tmp_path: Path, alice: User, replica: StreamingReplica) -> Iterator[Live]:
    env = on_this_database() | {"DATABASE_REPLICA_URL": replica.url, "WEB_PROCESSES": "1"}
    live = Live(tmp_path, env)
    live.start("web")
    live.sign_in(alice)
    yield live
    live.stop()


def reads(live: Live, job: DownloadJob) -> tuple[int, int]:
    """Poll, and return how many polls read the primary and how many the replica."""
    before = counted(live)
    for _ in range(POLLS):
        live.status(str(job.pk))
    primary, replica = (after - first for after, first in zip(counted(live), before, strict=True))
    assert primary + replica == POLLS, live.logs()
    return primary, replica


def counted(live: Live) -> tuple[int, int]:
    metrics = live.session.get(f"{live.url}/metrics", timeout=10)
    assert metrics.status_code == 200, metrics.text
    found = dict.fromkeys(["primary", "replica"], 0)
    for line in metrics.text.splitlines():
        if line.startswith("downloads_polls_read_total{"):
            name, value = line.rsplit(" ", 1)
            found["replica" if 'database="replica"' in name else "primary"] = int(float(value))
    return found["primary"], found["replica"]


def uses_replica(live: Live, job: DownloadJob) -> bool:
    before = counted(live)[1]
    live.status(str(job.pk))
    return counted(live)[1] > before


def replica_check(live: Live) -> str:
    response = requests.get(f"{live.url}/health/ready", timeout=10)
    assert response.json()["checks"].keys() == {"storage", "database", "broker", "replica"}
    return str(response.json()["checks"]["replica"])


@pytest.fixture
def alice_is_staff(alice: User) -> None:
    """For the metrics."""
    alice.is_staff = True
    alice.save()


@pytest.mark.usefixtures("alice_is_staff")
def test_polls_read_the_replica_and_the_primary_without_it(
    live: Live, alice: User, replica: StreamingReplica
) -> None:
    job = JobFactory(owner=alice)
    until(lambda: uses_replica(live, job))
    assert replica_check(live) == "ok"
    before = replica.scans()
    assert reads(live, job) == (0, POLLS)
    until(lambda: replica.scans()[1] >= before[1] + POLLS)
    assert replica.scans()[0] < before[0] + POLLS // 2

    replica.stop()
    primary, _ = reads(live, job)
    assert primary >= POLLS - 1
    assert replica_check(live) == "error"

    replica.start()
    until(lambda: uses_replica(live, job))
    assert reads(live, job) == (0, POLLS)
    text = live.processes[0].log.read_text()
    assert text.count("the replica is not used") == 1
    assert text.count("the replica is used again") == 1


@pytest.mark.usefixtures("alice_is_staff")
def test_what_the_replica_does_not_have_yet_is_read_from_the_primary(
    live: Live, alice: User, replica: StreamingReplica
) -> None:
    job, failed = JobFactory(owner=alice), JobFactory(owner=alice, status="failed")
    until(lambda: uses_replica(live, job))
    replica.catch_up()
    replica.run("SELECT pg_wal_replay_pause()::text")
    job.claim(task_id="t", worker="w")
    failed.requeue(Actor.OWNER, total=1)
    new = JobFactory(owner=alice)

    assert live.status(str(new.pk))["status"] == "queued"
    assert live.status(str(failed.pk))["status"] == "queued"
    assert live.status(str(job.pk))["status"] == "queued"  # up to five seconds old
    until(lambda: live.status(str(job.pk))["status"] == "processing")
    until(lambda: replica_check(live) == "error")

    replica.run("SELECT pg_wal_replay_resume()::text")
    until(lambda: uses_replica(live, job))
    assert live.status(str(job.pk))["status"] == "processing"


@pytest.mark.usefixtures("alice_is_staff")
def test_a_frozen_replica_costs_the_first_poll_its_timeout(
    live: Live, alice: User, replica: StreamingReplica
) -> None:
    job = JobFactory(owner=alice)
    until(lambda: uses_replica(live, job))

    replica.freeze()
    seconds = [
        live.session.get(f"{live.url}/v1/download/status/{job.pk}", timeout=10).elapsed
        for _ in range(POLLS)
    ]
    replica.thaw()

    slow = [each for each in seconds if each.total_seconds() > 1]
    assert len(slow) <= 1
    assert max(each.total_seconds() for each in seconds) < 4
    until(lambda: uses_replica(live, job))


def test_a_promoted_replica_is_not_used(replica: StreamingReplica, live: Live) -> None:
    replica.run("SELECT pg_promote()")
    until(lambda: replica_check(live) == "error")
    assert "no replica" in live.processes[0].log.read_text()
