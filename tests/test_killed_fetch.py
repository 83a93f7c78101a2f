"""A worker is killed or frozen while it fetches a link."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from jobs import storage
from jobs.kinds.remote.assembly import STORING
from jobs.kinds.remote.ranges import RUN
from jobs.models import DownloadJob
from jobs.states import Event
from tests.hostile.content import File
from tests.hostile.server import Peer
from tests.links import PART, ask, stored_sha256
from tests.live import Live, on_this_database, until

pytestmark = pytest.mark.django_db(transaction=True)

FILE = File(size=40 * PART)
AT_ONCE = 4 * RUN + STORING  # parts that four connections hold in memory at most


@pytest.fixture
def live(tmp_path: Path, bucket: object) -> Iterator[Live]:
    """A worker that may fetch from this machine, and a dispatcher that detects its death."""
    live = Live(tmp_path, on_this_database() | {"REMOTE_ALLOWED_PRIVATE_HOSTS": "127.0.0.1"})
    try:
        live.start("dispatcher")
        yield live
    finally:
        live.stop()


def test_a_killed_fetch_resumes(live: Live, alice: User) -> None:
    worker = live.start("worker")
    with Peer() as peer:
        job = ask(alice, peer.serve("/big", replace(FILE, rate=10e6)))
        until(lambda: DownloadJob.objects.get(pk=job.pk).progress >= 0.5, 60, live.logs)
        live.kill(worker)
        job.refresh_from_db()
        there = storage.S3Parts.resumed(job.checkpoint).stored
        until(lambda: not peer.open_now)
        before, requests = peer.sent("/big"), len(peer.ranges("/big"))

        live.start("worker")
        until(lambda: DownloadJob.objects.get(pk=job.pk).is_finished, 60, live.logs)

        asked = {first // PART for first, _ in peer.ranges("/big")[requests:]}
        again = peer.sent("/big") - before
    job.refresh_from_db()
    assert stored_sha256(job) == FILE.sha256()
    assert job.events.filter(event=Event.RESCUE).count() == 1
    assert len(there) >= FILE.size / 2 / PART - AT_ONCE
    assert asked.isdisjoint(there), "what was stored is not asked for again"
    wasted = PART  # at most, when connections that help one another finish together
    assert again <= FILE.size - len(there) * PART + wasted, "and no byte of it is sent"


def test_a_thawed_worker_does_no_harm(live: Live, alice: User) -> None:
    """The worker continues with connections and parts that another attempt has taken over."""
    frozen = live.start("worker")
    with Peer() as peer:
        job = ask(alice, peer.serve("/big", replace(FILE, rate=10e6)))
        row = DownloadJob.objects.filter(pk=job.pk)
        until(lambda: row.get().progress >= 0.3, 60, live.logs)
        os.killpg(frozen.popen.pid, signal.SIGSTOP)
        live.start("worker")
        until(lambda: row.get().attempt == 2 and row.get().progress >= 0.5, 60, live.logs)

        os.killpg(frozen.popen.pid, signal.SIGCONT)
        until(lambda: row.get().is_finished, 60, live.logs)

    job.refresh_from_db()
    assert stored_sha256(job) == FILE.sha256()
    assert job.attempt == 2
    assert job.events.filter(event=Event.SUCCEED).count() == 1
    assert [file.key for file in job.files.all()] == [job.artifact.key]
