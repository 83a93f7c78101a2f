"""The order of things: asked, followed at a decent pace, fetched."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from jobs.client.beside import Beside
from jobs.client.errand import Errand
from jobs.client.errors import Gone
from jobs.client.login import Login
from jobs.client.patience import Patience
from jobs.client.places import Place
from jobs.client.progress import Display, Lines
from jobs.client.service import Service
from jobs.client.wishes import understood
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
    monkeypatch.setattr("jobs.client.errand.time.sleep", seconds.append)
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
