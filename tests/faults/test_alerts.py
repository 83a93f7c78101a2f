"""Each alert is fired by its fault within two minutes, sent once, and resolved once.

Production's intervals apply, except that a lease is shorter where a case says so. The measured
times are in docs/alerts.md.
"""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from jobs.models import Alert, DownloadJob, JobEvent, JobStatistics, Notification, ServiceProcess
from jobs.notifications.alerts import LOCK
from tests.clamd import Clamd
from tests.faults.alert_table import FIRED, RESOLVED, what
from tests.faults.catalogue import ARCHIVE, BUGGY, POISON, SMALL
from tests.faults.operators import FIRING_TYPE, RESOLVED_TYPE, Operators
from tests.faults.rig import HELD, Rig
from tests.faults.scanner import Scanner
from tests.live import until
from tests.notifications.smtp import MailServer

FIRES_SECONDS = 120
RESOLVED_SECONDS = 180
DISK_BYTES = 64_000_000
LOST_TIME = timedelta(minutes=10)  # how long failures and losses count


@pytest.fixture
def operators() -> Iterator[Operators]:
    with Operators() as operators:
        yield operators


@pytest.fixture
def alerted(rig: Rig, operators: Operators) -> Rig:
    """A rig whose processes send alerts."""
    rig.use_production_clocks()
    rig.env |= operators.env
    return rig


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    """A disk of its own, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=1777", "tmpfs"]
    is_mounted = not subprocess.run(["mount", *options, disk], capture_output=True).returncode
    yield disk if is_mounted else None
    if is_mounted:
        subprocess.run(["umount", "--lazy", disk], check=True)


def settle(rig: Rig) -> None:
    """Wait until all processes have reported, and forget what was wrong before that."""
    reported = [each for each in rig.processes if each.name != "web"]
    until(lambda: ServiceProcess.objects.count() == len(reported), 60, rig.logs)
    until(lambda: ServiceProcess.objects.responding().count() == len(reported), 60, rig.logs)
    with transaction.atomic(), connection.cursor() as cursor:  # not while one is being recorded
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", LOCK)
        Alert.objects.all().delete()


def measure(
    rig: Rig,
    operators: Operators,
    faults: dict[str, str],
    *,
    breaks: Callable[[], None],
    mends: Callable[[], None],
) -> None:
    """Break, wait for the alerts, mend, and wait until they are resolved.

    `faults` has the alerts that must fire, and none other may, with the fault that causes each.
    """
    began = time.monotonic()
    breaks()
    fired = operators.wait_for(FIRING_TYPE, set(faults), began, FIRES_SECONDS)
    mended = time.monotonic()
    mends()
    resolved = operators.wait_for(RESOLVED_TYPE, set(faults), mended, RESOLVED_SECONDS)
    operators.wait_for(FIRING_TYPE, set(faults), began, 0)  # still once
    for alert, fault in faults.items():
        name = alert.partition(" ")[0] if "@" in alert else alert  # a process has any name
        rig.figure(what(name, fault, FIRED), fired[alert], bound=FIRES_SECONDS)
        rig.figure(what(name, fault, RESOLVED), resolved[alert], bound=RESOLVED_SECONDS)


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


def test_alerts_when_a_worker_and_the_dispatcher_freeze(
    alerted: Rig, operators: Operators, mails: MailServer
) -> None:
    """A worker with a job, and the only dispatcher, are frozen; leases are 8 s."""
    rig = alerted
    rig.env |= {
        "LEASE_SECONDS": "8",
        "EMAIL_URL": f"smtp://127.0.0.1:{mails.port}",
        "OPERATOR_EMAILS": "olga@example.com",
    }
    rig.start("web")
    frozen = rig.ready_worker(**HELD)
    job_id = rig.initiate(SMALL)
    rig.wait_for(job_id, "processing")
    rig.ready_worker()
    dispatcher = rig.start("dispatcher")
    settle(rig)
    (name,) = DownloadJob.objects.values_list("worker", flat=True)

    def breaks() -> None:
        rig.freeze(frozen)
        rig.freeze(dispatcher)

    def mends() -> None:
        rig.open_gate()
        rig.thaw(dispatcher)
        rig.thaw(frozen)

    faults = {
        f"worker-not-responding {name}": "a worker is frozen (SIGSTOP)",
        "no-dispatchers": "the only dispatcher is frozen (SIGSTOP)",
        "jobs-stall bundle": "a worker with a job and the only dispatcher are frozen",
    }
    measure(rig, operators, faults, breaks=breaks, mends=mends)
    until(lambda: len(mails.mails) >= 2 * len(faults), 30, rig.logs)
    kinds = Counter(str(mail["Subject"]).partition(":")[0] for mail in mails.mails)
    assert kinds == {"Alert": len(faults), "Resolved": len(faults)}
    rig.judge()


@pytest.mark.long
def test_alerts_when_all_workers_and_servers_are_killed(
    alerted: Rig, operators: Operators, tmp_path: Path
) -> None:
    """Both workers, Redis, the file store and clamd are killed, and started again."""
    rig = alerted
    (tmp_path / "clamd").mkdir()
    scanner = Clamd(tmp_path / "clamd")
    scanner.start()
    rig.env |= {"CLAMD": scanner.address}
    rig.start("web")
    workers = [rig.ready_worker(), rig.ready_worker()]
    rig.start("dispatcher")
    settle(rig)
    names = list(ServiceProcess.objects.filter(role="worker").values_list("name", flat=True))

    def breaks() -> None:
        for worker in workers:
            rig.kill(worker)
        rig.initiate(SMALL)
        rig.take_down("Redis")
        rig.take_down("S3")
        scanner.kill()

    def mends() -> None:
        rig.bring_up("Redis")
        rig.bring_up("S3")
        scanner.start()
        for worker in workers:
            rig.start_again(worker)

    faults = {
        "no-workers": "every worker is killed (SIGKILL)",
        "jobs-wait-too-long bundle": "every worker is killed, and a job is due",
        "dependency-down broker": "Redis is killed",
        "dependency-down storage": "the file store is killed",
        "dependency-down scanner": "clamd is killed",
    } | {f"worker-not-responding {name}": "a worker is killed (SIGKILL)" for name in names}
    try:
        measure(rig, operators, faults, breaks=breaks, mends=mends)
    finally:
        scanner.stop()
    rig.judge()


@pytest.mark.long
@pytest.mark.parametrize("is_frozen", [False, True], ids=["killed", "frozen"])
def test_alerts_when_the_database_is(
    alerted: Rig, operators: Operators, *, is_frozen: bool
) -> None:
    """Postgres is killed or frozen. No process counts as lost when it is back."""
    rig = alerted
    rig.start("web")
    rig.ready_worker()
    rig.start("dispatcher")
    settle(rig)
    rig.initiate(SMALL)
    server = rig.servers["Postgres"]

    faults = {
        "dependency-down database": f"Postgres is {'frozen' if is_frozen else 'killed'}",
    }
    measure(
        rig,
        operators,
        faults,
        breaks=lambda: rig.freeze(server) if is_frozen else rig.take_down("Postgres"),
        mends=lambda: rig.thaw(server) if is_frozen else rig.bring_up("Postgres"),
    )
    rig.judge()


@pytest.mark.long
def test_alerts_when_dispatchers_freeze_and_slow_down(alerted: Rig, operators: Operators) -> None:
    """One of two dispatchers is frozen, and the other's line to the database gets slow."""
    rig = alerted
    rig.start("web")
    rig.ready_worker(**HELD)
    line, slow = rig.database_line()
    frozen = rig.start("dispatcher")
    until(lambda: ServiceProcess.objects.filter(role="dispatcher").exists(), 30, rig.logs)
    (name,) = ServiceProcess.objects.filter(role="dispatcher").values_list("name", flat=True)
    rig.start("dispatcher", **slow)
    first = rig.initiate(SMALL)
    for _ in range(99):
        rig.initiate(SMALL, after=[first])
    settle(rig)

    def breaks() -> None:
        rig.freeze(frozen)
        line.delay(0.1)
        rig.open_gate()

    def mends() -> None:
        line.pass_on()
        rig.thaw(frozen)

    faults = {
        f"dispatcher-not-responding {name}": "one of two dispatchers is frozen (SIGSTOP)",
        "dispatcher-slow": "each query of the dispatcher takes 0.2 s, and 99 jobs are unblocked",
    }
    measure(rig, operators, faults, breaks=breaks, mends=mends)
    rig.judge()


@pytest.mark.long
def test_alerts_when_jobs_fail_and_space_runs_out(
    alerted: Rig, operators: Operators, mails: MailServer, small_disk: Path | None
) -> None:
    """Builders fail and die; files fill the store, a quota and a disk; mails are refused."""
    rig = alerted
    User.objects.update(email="alice@example.com")
    today = datetime.now(UTC)
    with Scanner(today) as scanner:
        rig.env |= {
            "EMAIL_URL": f"smtp://127.0.0.1:{mails.port}",
            "CLAMD": scanner.address,
            "OWNER_STORAGE_BYTES": "44000000",  # of which a bundle will use 40 MB
            "STORE_BYTES": "95000000",  # of which the catalogue has 43 MB
        }
        rig.start("web")
        rig.ready_worker(**({"TMPDIR": str(small_disk)} if small_disk else {}))
        rig.start("dispatcher")
        settle(rig)
        name = ServiceProcess.objects.get(role="worker").name

        def breaks() -> None:
            rig.initiate(ARCHIVE)
            for _ in range(6):
                rig.initiate(BUGGY)
            rig.initiate(POISON)
            mails.objections = ["451 later"] * 1000
            rig.initiate(SMALL, email=True)
            scanner.signatures = today - timedelta(days=4)
            if small_disk:
                (small_disk / "log").write_bytes(bytes(DISK_BYTES * 19 // 20))

        def mends() -> None:
            _expire(DownloadJob.objects.filter(params__file_ids=[ARCHIVE]))
            _ten_minutes_later()
            mails.objections = []
            rig.initiate(SMALL, email=True)
            scanner.signatures = today
            if small_disk:
                (small_disk / "log").unlink()

        faults = {
            "store-fills": "a 40 MB bundle in a store of 95 MB with 43 MB",
            "quota-near": "a 40 MB bundle of an owner with a quota of 44 MB",
            "jobs-fail bundle": "a bug in a builder fails 6 jobs",
            "jobs-lose-their-worker bundle": "a job kills its process at each attempt",
            "outbox-stuck email": "the mail server refuses every mail (451)",
            "signatures-old": "the signatures of the scanner are of four days ago",
        }
        if small_disk:
            faults[f"disk-fills {name}"] = "a log fills 95 % of the disk of a worker"
        measure(rig, operators, faults, breaks=breaks, mends=mends)
        assert Notification.objects.filter(channel="email", state="sent").exists()
    rig.judge(outcomes={"completed", "failed", "expired"})


def _expire(jobs: QuerySet[DownloadJob]) -> None:
    """Let their time be over. The dispatcher then deletes their files."""
    jobs.update(expires_at=Now())


def _ten_minutes_later() -> None:
    """Age what happened, so that failures and losses no longer count."""
    JobEvent.objects.update(at=F("at") - LOST_TIME)
    JobStatistics.objects.update(start=F("start") - LOST_TIME)
