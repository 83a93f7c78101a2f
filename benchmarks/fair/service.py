"""The service with four slots, and owners who ask it for jobs that sleep."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import requests
from django.contrib.auth.models import User
from django.db import connection

from benchmarks.bench.contenders.service import UNREACHED, token_of
from jobs.errors import StaleJob
from jobs.models import DownloadJob, Preferences, QueueLimit, QueueShare
from jobs.states import Actor, Status
from tests.factories import UserFactory
from tests.live import CLOCKS, Live, on_this_database, until

SLOTS = 4
SETTINGS = {
    **{f"RATE_{name}": UNREACHED for name in ("INITIATE", "POLL")},
    "MAX_ACTIVE_JOBS": "2000000",
    "MAX_QUEUED_JOBS": "2000000",
    "WORKER_STOPS_SECONDS": "2",
}


@dataclass(frozen=True)
class Run:
    """When an attempt ran, by the clock of the database."""

    owner: int
    created_at: datetime
    started_at: datetime
    finished_at: datetime | None

    @property
    def waited_seconds(self) -> float:
        return (self.started_at - self.created_at).total_seconds()

    def seconds_within(self, begin: datetime, end: datetime) -> float:
        """Return for how long it ran between two times."""
        ran = min(self.finished_at or end, end) - max(self.started_at, begin)
        return max(ran.total_seconds(), 0)


class Service:
    def __init__(self, folder: Path) -> None:
        self.live = Live(folder, SETTINGS | on_this_database())
        for clock in CLOCKS.keys() - SETTINGS.keys():
            del self.live.env[clock]  # those of production
        self._session = requests.Session()

    def start(self) -> None:
        self.live.start("web")
        self.live.start("dispatcher")
        worker = self.live.start("worker", f"--concurrency={SLOTS}")
        log = worker.log
        until(lambda: " ready." in log.read_text(errors="replace"), 120, self.live.logs)
        with self.emptied():  # the first jobs of each pool process load modules
            owner = self.owner()
            self.ask(owner, jobs=4 * SLOTS, seconds=0.2)
            until(lambda: self.has_started(owner), 120, self.live.logs)

    def stop(self) -> None:
        self._session.close()
        self.live.stop()

    def owner(self, weight: float = 1) -> User:
        owner: User = UserFactory()
        if weight != 1:
            Preferences.objects.create(owner=owner, weight=weight)
        return owner

    def ask(self, owner: User, *, jobs: int, seconds: float, kind: str = "sleep") -> None:
        """Start jobs of an owner by the API."""
        headers = {"Authorization": f"Bearer {token_of(owner)}"}
        url = f"{self.live.url}/v1/jobs/{kind}"
        for _ in range(jobs):
            answer = self._session.post(url, json={"seconds": seconds}, headers=headers, timeout=30)
            assert answer.status_code == 202, answer.text

    def runs(self, *owners: User) -> list[Run]:
        """Return the attempts that have started, of some owners or of all, in their order."""
        jobs = DownloadJob.objects.filter(started_at__isnull=False).order_by("started_at")
        if owners:
            jobs = jobs.filter(owner__in=owners)
        return [
            Run(*row)
            for row in jobs.values_list("owner", "created_at", "started_at", "finished_at")
        ]

    def has_started(self, *owners: User) -> bool:
        """Return whether none of their jobs waits."""
        queued = DownloadJob.objects.filter(status=Status.QUEUED, owner__in=owners)
        return not queued.exists()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Start no job meanwhile, so that all are queued before the first one starts."""
        pause = QueueLimit.objects.create(scope="service", is_paused=True)
        try:
            yield
        finally:
            pause.delete()

    @contextmanager
    def emptied(self) -> Iterator[None]:
        """Cancel at the end what is left, and forget who has used what."""
        try:
            yield
        finally:
            QueueLimit.objects.all().delete()
            with self.paused():
                DownloadJob.objects.filter(status=Status.QUEUED).delete()
                for job in DownloadJob.objects.filter(status=Status.PROCESSING):
                    with suppress(StaleJob):  # it has just ended
                        job.cancel(Actor.OPERATOR)
                time.sleep(2)  # attempts learn of it within a second
                DownloadJob.objects.all().delete()
                QueueShare.objects.all().delete()


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone() or (None,)
    assert isinstance(now, datetime)
    return now
