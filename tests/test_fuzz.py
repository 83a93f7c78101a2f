"""One minute of requests generated from the OpenAPI document; `make fuzz` runs longer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from rest_framework_simplejwt.tokens import AccessToken

from jobs.models import DownloadJob, StoredFile
from tests.fuzz.rounds import ENV, Round, play
from tests.live import Live, on_this_database

pytestmark = pytest.mark.django_db(transaction=True)

ALWAYS_THE_SAME = ["--generation-deterministic", "--max-examples", "2"]
OF_STAFF = ["--include-path-regex", "^/(admin|queue|workers)/", "--phases", "coverage,fuzzing"]


@pytest.fixture
def live(tmp_path: Path, stored_files: list[StoredFile]) -> Iterator[Live]:
    """Web, a worker and the dispatcher, on this test's database."""
    live = Live(tmp_path, on_this_database() | ENV)
    try:
        for name in ("dispatcher", "worker", "web"):
            live.start(name)
        yield live
    finally:
        live.stop()


def test_every_response_matches_the_document(live: Live, alice: User, operator: User) -> None:
    def ask(caller: User | None, *options: str) -> Round:
        return play(
            live.url,
            live.folder,
            caller=caller.username if caller else "nobody",
            token=str(AccessToken.for_user(caller)) if caller else "",
            seed=1,
            options=[*ALWAYS_THE_SAME, *options],
        )

    user, nobody = ask(alice), ask(None, "--phases", "coverage")
    staff = ask(operator, *OF_STAFF)

    for played in (user, nobody, staff):
        assert not played.failures, played.output
    assert user.operations == nobody.operations >= 21
    assert not DownloadJob.objects.filter(error_code="unexpected").exists()
    assert DownloadJob.objects.filter(owner=alice, status="completed").exists()
    assert DownloadJob.objects.filter(owner=alice, kind="remote").exists()
