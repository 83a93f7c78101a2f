"""Links run on their own workers, so that they do not delay other jobs."""

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
    """A worker for links, one for other jobs, and the dispatcher."""
    env = {"REMOTE_ALLOWED_PRIVATE_HOSTS": "127.0.0.1", "REMOTE_QUEUE": "links"}
    live = Live(tmp_path, on_this_database() | env)
    try:
        live.start("dispatcher")
        live.start("worker", "--queues=links")
        live.start("worker", "--queues=download-jobs")
        yield live
    finally:
        live.stop()


def test_slow_links_do_not_delay_bundles(live: Live, alice: User) -> None:
    with Peer() as peer:
        url = peer.serve("/slow", replace(File(size=PART), rate=100_000))
        links = [
            JobFactory(owner=alice, kind="remote", params={"url": url, "threads": 1}, total=None)
            for _ in range(4)  # of a worker with two processes
        ]
        until(lambda: peer.most_at_once("/slow") == 2, 30, live.logs)

        bundle = JobFactory(owner=alice, params={"file_ids": [70000]})
        row = DownloadJob.objects.filter(pk=bundle.pk, status=Status.COMPLETED)
        until(row.exists, 30, live.logs)

        under_way = DownloadJob.objects.filter(pk__in=[link.pk for link in links])
        assert not under_way.filter(status=Status.COMPLETED).exists()
        assert under_way.filter(status=Status.PROCESSING).count() == 2
