"""The order of things: asked, followed at a decent pace, fetched."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from downloads_client.destination import Place
from downloads_client.download import Errand
from downloads_client.errors import Gone
from downloads_client.login import Login
from downloads_client.options import Beside
from downloads_client.outcome import Ending
from downloads_client.poll_interval import Looks
from downloads_client.progress import Display, Lines
from downloads_client.requests import understood
from downloads_client.responses import Answer, Job
from downloads_client.retry import Patience
from downloads_client.service import Service
from tests.client.fake import (
    JOB_ID,
    RESULT,
    STATUS,
    Fake,
    Stored,
    job,
    problem,
    result,
    says,
    tells,
)

CONTENT = b"PK the archive"


class Watched(Display):
    watched = True


def errand(fake: Fake, folder: Path, display: Display) -> Errand:
    patience = lambda: Patience(60, display.pausing)  # noqa: E731
    service = Service(Login(fake.url, "demo", "secret"), patience)
    return Errand(service, Place(f"{folder}/", force=False), display, patience_seconds=60)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it would have waited between two polls."""
    seconds: list[float] = []
    monkeypatch.setattr("downloads_client.download.time.sleep", seconds.append)
    return seconds


@pytest.fixture
def two_files(fake: Fake) -> Fake:
    """Ready at the seventh look."""
    busy = [tells(job(done=n), ETag=f'"{n}"', Retry_After="5") for n in range(5)]
    fake.on("/v1/download/initiate", tells(job("queued", done=0), 202, Retry_After="3"))
    fake.on(STATUS, *busy, says(b"", 304, Retry_After="5"), tells(job("completed", progress=1)))
    fake.on(RESULT, tells(result(f"{fake.url}/store", CONTENT)))
    fake.on("/store", Stored(CONTENT))
    return fake


def test_a_program_polls_as_seldom_as_it_is_told(
    two_files: Fake, tmp_path: Path, slept: list[float]
) -> None:
    path = errand(two_files, tmp_path, Display()).run(understood(["70000", "70001"]))

    assert path.read_bytes() == CONTENT
    assert slept == [3, 5, 5, 5, 5, 5, 5]
    assert two_files.to(STATUS)[-1].headers["If-None-Match"] == '"4"'
    assert len(two_files.to("/v1/download/initiate")) == 1


def test_a_bar_that_is_watched_moves_every_second(
    two_files: Fake, tmp_path: Path, slept: list[float]
) -> None:
    errand(two_files, tmp_path, Watched()).run(understood(["70000", "70001"]))

    assert slept == [0.25, 0.5, 1, 1, 1, 1, 1]


def tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.mark.parametrize("display", [Display, Watched])
def test_its_time_is_waited_for_with_a_poll_a_minute_however_long_and_bad_the_line(
    two_files: Fake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_pauses: list[float],
    display: type[Display],
) -> None:
    monkeypatch.setattr(
        "downloads_client.download.time.sleep", no_pauses.append
    )  # one clock for both
    waiting = tells(job("queued", runAt=tomorrow()), Retry_After="5")
    away = says(b"<html>Bad gateway</html>", 502)
    two_files.on("/v1/download/initiate", waiting)
    hour = [says(b"", 304, Retry_After="5")] * 60
    two_files.on(STATUS, away, *hour, away, away, *hour, away, waiting, tells(job("completed")))

    path = errand(two_files, tmp_path, display()).run(understood(["70000"]))

    assert path.read_bytes() == CONTENT
    assert no_pauses == [60, 0.5, *[60] * 60, 0.5, 1, *[60] * 60, 0.5, 60]


def test_others_are_waited_for_as_seldom_as_it_is_told_and_then_the_bar_moves(
    two_files: Fake, tmp_path: Path, slept: list[float]
) -> None:
    held = job("queued", after=[JOB_ID])
    two_files.on("/v1/download/initiate", tells(held, 202, Retry_After="3"))
    same = [says(b"", 304, Retry_After="5")] * 2
    runs = [tells(job(done=n), Retry_After="5") for n in range(3)]
    two_files.on(STATUS, tells(held, Retry_After="1"), *same, *runs, tells(job("completed")))

    errand(two_files, tmp_path, Watched()).run(understood(["70000"]))

    assert slept == [3, 1, 5, 5, 0.25, 0.5, 1]


def test_what_has_its_time_soon_is_looked_at_then() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=20)
    waiting = Answer(200, {}, json.dumps(job("queued", runAt=soon.isoformat())).encode())
    passed = Answer(200, {}, json.dumps(job("queued", runAt="2026-01-01T00:00:00Z")).encode())
    looks = Looks(watched=True)

    assert 15 < looks.seconds_until_next(Job.of(waiting)) <= 20
    assert looks.seconds == 0  # what it takes is counted from then on
    assert looks.seconds_until_next(Job.of(passed)) == 0.25


def test_a_bug_is_no_failed_job_and_tells_no_address() -> None:
    end = Ending.of(KeyError("https://store.example/?X-Amz-Signature=secret"))

    assert (end.exit_code, end.code) == (8, "client_error")
    assert end.sentence == "This program has a bug (KeyError): --traceback shows where."


def test_a_file_that_expires_after_it_was_made_is_gone(
    two_files: Fake, tmp_path: Path, slept: list[float]
) -> None:
    two_files.on(RESULT, problem(410, "expired", "The download is expired."))

    with pytest.raises(Gone):
        errand(two_files, tmp_path, Display()).run(understood(["70000"]))

    assert list(tmp_path.iterdir()) == []


def test_what_happens_is_said_in_order(two_files: Fake, tmp_path: Path, slept: list[float]) -> None:
    out = io.StringIO()

    errand(two_files, tmp_path, Lines(out)).run(understood(["70000", "70001"]))

    said = [line.split()[0] for line in out.getvalue().splitlines()]
    assert said == ["Asked", "Making", "Made", "Fetched"]


def test_a_link_is_asked_for_stored_and_fetched(
    two_files: Fake, tmp_path: Path, slept: list[float]
) -> None:
    out = io.StringIO()
    of_a_link = {"kind": "remote", "fileName": "a.csv", "total": None, "progress": 0}
    waiting = of_a_link | {"done": 0, "estimatedSecondsRemaining": None}
    two_files.on("/downloads", tells(job("queued", **waiting), 202, Retry_After="3"))
    two_files.on(STATUS, tells(job(**of_a_link, speed=9, threads=4)), tells(job("completed")))

    wish = understood(["https://data.example/a.csv?key=secret"], Beside(threads=4))
    path = errand(two_files, tmp_path, Lines(out)).run(wish)

    (asked,) = two_files.to("/downloads")
    assert json.loads(asked.body) == {
        "url": "https://data.example/a.csv?key=secret",
        "threads": 4,
    }
    assert asked.headers["Idempotency-Key"]
    assert path.read_bytes() == CONTENT
    assert f"Asked for a file from data.example: download {JOB_ID}" in out.getvalue()
    assert "secret" not in out.getvalue()
