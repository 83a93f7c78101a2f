"""The kind `remote` with hostile servers: always the right file or a clear failure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs.kinds.remote import parallel, ranges
from jobs.states import Status
from tests.hostile.modes import MODES
from tests.hostile.server import Peer
from tests.links import PART, ask, fetch, left_behind, stored_sha256

pytestmark = pytest.mark.django_db(transaction=True)  # heartbeats have their own connection

SIZE = 8 * PART + 17  # five requests over four connections, and the last part is short
RIGHT = "right"
# The limit depends on the machine.
SLOW = "right, remote_unavailable or remote_too_slow"
WEARY = ("stalls-at-60-percent", "drops-at-60-percent", "resets-at-60-percent")  # part by part
# The outcome of a job for each mode of the server.
OUTCOMES = dict.fromkeys(MODES, RIGHT) | {
    "changes": "the new one",
    "changes-halfway": "the new one",
    "changes-in-size": "the new one",
    "changes-unasked": "the new one",
    "changes-hidden": "the new one",
    "100-MB-of-continue": SLOW,
    "100-MB-of-early-hints": SLOW,
    "never-answers": "remote_unavailable",
    "stalls-after-headers": "remote_too_slow",
    "stalls-at-60-percent": "remote_too_slow",
    "one-byte-a-second": "remote_too_slow",
    "drops-at-60-percent": "remote_unavailable",
    "resets-at-60-percent": "remote_unavailable",
    "length-too-large": "remote_unavailable",
    "length-too-small": "remote_unavailable",
    "chunked-and-packed": "remote_encoded",
    "chunked-cut-off": "remote_unavailable",
    "endless-body": "remote_too_large",
    "endless-headers": "remote_unavailable",
    "long-header": "remote_unavailable",
    "gzip-bomb": "remote_encoded",
    "garbage": "remote_unavailable",
    "bare-body": "remote_unavailable",
    "busy": "remote_unavailable",
    "busy-for-a-day": "remote_unavailable",
    "too-many-requests": "remote_unavailable",
    "broken": "remote_unavailable",
    "not-found": "remote_refused",
    "forbidden-midway": "remote_refused",
    "error-page": "remote_not_a_file",
    "error-page-midway": "remote_not_a_file",
    "redirect-to-private-address": "blocked_redirect",
    "redirect-to-metadata": "blocked_redirect",
    "redirect-to-file": "blocked_redirect",
    "redirect-nowhere": "too_many_redirects",
    "redirect-loop": "too_many_redirects",
}


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture(autouse=True)
def short_clocks(settings: Any, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = ["127.0.0.1"]
    settings.REMOTE_SILENT_SECONDS = 1.5
    settings.REMOTE_SLOW_SECONDS = 1.5
    settings.REMOTE_MAX_BYTES = 2 * SIZE
    monkeypatch.setattr(ranges, "SILENT_SECONDS", 0.1)
    monkeypatch.setattr(parallel, "FIRST_PAUSE_SECONDS", 0.05)


@pytest.mark.parametrize(("mode", "outcome"), OUTCOMES.items(), ids=OUTCOMES)
def test_the_right_file_or_a_clear_failure(
    mode: str, outcome: str, peer: Peer, alice: User
) -> None:
    file = MODES[mode]
    file = replace(file, size=PART if mode in WEARY else SIZE) if file.size > 1 else file

    job = fetch(ask(alice, peer.serve(f"/{mode}/{file.name}", file)))

    if job.status == Status.COMPLETED:
        newer = file.successor()
        shorter = replace(newer, size=file.size // 2)
        told = {
            newer.sha256(): "the new one",
            shorter.sha256(): "the new one",
            file.sha256(): RIGHT,
        }
        assert told[stored_sha256(job)] in outcome
        assert job.progress == 1
    else:
        assert job.error_code in outcome
        assert job.error.endswith(".")
        assert "/" not in job.error, "no path and no query"
        assert left_behind(job) == []


def test_every_mode_has_an_outcome() -> None:
    assert set(OUTCOMES) == set(MODES)
