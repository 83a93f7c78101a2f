"""Links on workers of their own, so that they hold up nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from jobs.models import DownloadJob, StoredFile
from jobs.states import Status
from tests.factories import JobFactory
from tests.hostile.content import File
from tests.hostile.server import Peer
from tests.links import PART
from tests.live import Live, on_this_database, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def live(tmp_path: Path, stored_files: list[StoredFile]) -> Iterator[Live]:
    """A worker for links alone, one for all else, and the dispatcher, who rings for both."""
    env = {"REMOTE_ALLOWED_PRIVATE_HOSTS": "127.0.0.1", "REMOTE_QUEUE": "links"}
    live = Live(tmp_path, on_this_database() | env)
    try:
        live.start("dispatcher")
        live.start("worker", "--queues=links")
        live.start("worker", "--queues=download-jobs")
        yield live
    finally:
        live.stop()


def test_links_that_take_long_hold_up_no_bundle(live: Live, alice: User) -> None:
    with Peer() as peer:
        url = peer.serve("/slow", replace(File(size=PART), rate=100_000))
        links = [
            JobFactory(owner=alice, kind="remote", params={"url": url, "threads": 1}, total=None)
            for _ in range(4)  # of a worker that has two processes
        ]
        until(lambda: peer.most_at_once("/slow") == 2, 30, live.logs)

        bundle = JobFactory(owner=alice, params={"file_ids": [70000]})
        row = DownloadJob.objects.filter(pk=bundle.pk, status=Status.COMPLETED)
        until(row.exists, 30, live.logs)

        under_way = DownloadJob.objects.filter(pk__in=[link.pk for link in links])
        assert not under_way.filter(status=Status.COMPLETED).exists()
        assert under_way.filter(status=Status.PROCESSING).count() == 2
