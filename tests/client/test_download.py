"""One download from request to file: created, polled at the right interval, fetched."""

from __future__ import annotations

import io
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from downloads_client.destination import Destination
from downloads_client.download_request import parse_download_request
from downloads_client.downloader import Downloader
from downloads_client.failures import Gone
from downloads_client.login import Login
from downloads_client.outcome import CommandOutcome
from downloads_client.poll_interval import PollInterval
from downloads_client.progress import LineDisplay, ProgressDisplay
from downloads_client.retry import Retry
from downloads_client.service import Service
from downloads_client.service_responses import ApiResponse, JobResponse
from tests.client.fake import (
    JOB_ID,
    RESULT,
    STATUS,
    Fake,
    Stored,
    job,
    json_response,
    problem,
    response,
    result,
)

CONTENT = b"PK the archive"


class Interactive(ProgressDisplay):
    is_interactive = True


def download(fake: Fake, folder: Path, display: ProgressDisplay) -> Downloader:
    new_retry = lambda: Retry(60, display.show_retry)  # noqa: E731
    service = Service(Login(fake.url, "demo", "secret"), new_retry)
    return Downloader(
        service, Destination(f"{folder}/", force=False), display, retry_for_seconds=60
    )


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it would have waited between two polls."""
    seconds: list[float] = []
    monkeypatch.setattr("downloads_client.downloader.time.sleep", seconds.append)
    return seconds


@pytest.fixture
def two_files(fake: Fake) -> Fake:
    """Completed at the seventh poll."""
    busy = [json_response(job(done=n), ETag=f'"{n}"', Retry_After="5") for n in range(5)]
    fake.on("/v1/download/initiate", json_response(job("queued", done=0), 202, Retry_After="3"))
    fake.on(
        STATUS,
        *busy,
        response(b"", 304, Retry_After="5"),
        json_response(job("completed", progress=1)),
    )
    fake.on(RESULT, json_response(result(f"{fake.url}/store", CONTENT)))
    fake.on("/store", Stored(CONTENT))
    return fake


@pytest.mark.parametrize(
    ("times", "line"),
    [
        (
            {"startedAt": "2026-11-23T06:00:00Z", "finishedAt": "2026-11-23T06:00:00.4Z"},
            "Done in 0.4 s",
        ),
        ({"startedAt": None, "finishedAt": None}, "Done in 9.0 s"),
    ],
)
def test_it_says_how_long_the_service_took(
    fake: Fake,
    tmp_path: Path,
    slept: list[float],
    monkeypatch: pytest.MonkeyPatch,
    times: dict[str, Any],
    line: str,
) -> None:
    monkeypatch.setattr(PollInterval, "elapsed_seconds", 9.0)
    fake.on("/v1/download/initiate", json_response(job("queued", done=0), 202, Retry_After="3"))
    fake.on(STATUS, json_response(job("completed", downloadUrl="", **times)))
    stream = io.StringIO()

    download(fake, tmp_path, LineDisplay(stream)).run(parse_download_request(["1000001"]))

    assert f"{line}: 2 files.zip" in stream.getvalue()


def test_a_script_polls_at_the_interval_of_retry_after(
    two_files: Fake, tmp_path: Path, slept: list[float]
) -> None:
    path = download(two_files, tmp_path, ProgressDisplay()).run(
        parse_download_request(["70000", "70001"])
    )

    assert path.read_bytes() == CONTENT
    assert slept == [3, 5, 5, 5, 5, 5, 5]
    assert two_files.to(STATUS)[-1].headers["If-None-Match"] == '"4"'
    assert len(two_files.to("/v1/download/initiate")) == 1


def test_an_interactive_bar_is_updated_every_second(
    two_files: Fake, tmp_path: Path, slept: list[float]
) -> None:
    download(two_files, tmp_path, Interactive()).run(parse_download_request(["70000", "70001"]))

    assert slept == [0.25, 0.5, 1, 1, 1, 1, 1]


def test_a_job_that_makes_no_file_is_done(
    two_files: Fake, tmp_path: Path, slept: list[float]
) -> None:
    two_files.on(STATUS, json_response(job("completed", kind="recount", downloadUrl=None)))
    lines = io.StringIO()

    path = download(two_files, tmp_path, LineDisplay(lines)).run(parse_download_request([JOB_ID]))
    path_of_new = download(two_files, tmp_path, LineDisplay(lines)).run(
        parse_download_request(["70000"])
    )

    assert (path, path_of_new) == (None, None)
    assert "Done in" in lines.getvalue()
    assert two_files.to(RESULT) == []
    assert list(tmp_path.iterdir()) == []


def tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.mark.parametrize("display", [ProgressDisplay, Interactive])
def test_a_job_scheduled_for_later_is_polled_once_a_minute_despite_failures(
    two_files: Fake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_pauses: list[float],
    display: type[ProgressDisplay],
) -> None:
    monkeypatch.setattr(
        "downloads_client.downloader.time.sleep", no_pauses.append
    )  # one clock for both
    waiting = json_response(job("queued", runAt=tomorrow()), Retry_After="5")
    away = response(b"<html>Bad gateway</html>", 502)
    two_files.on("/v1/download/initiate", waiting)
    hour = [response(b"", 304, Retry_After="5")] * 60
    two_files.on(
        STATUS, away, *hour, away, away, *hour, away, waiting, json_response(job("completed"))
    )

    path = download(two_files, tmp_path, display()).run(parse_download_request(["70000"]))

    assert path.read_bytes() == CONTENT
    assert no_pauses == [60, 0.5, *[60] * 60, 0.5, 1, *[60] * 60, 0.5, 60]


def test_dependencies_are_polled_at_the_interval_of_retry_after_and_then_the_bar_moves(
    two_files: Fake, tmp_path: Path, slept: list[float]
) -> None:
    held = job("queued", after=[JOB_ID])
    two_files.on("/v1/download/initiate", json_response(held, 202, Retry_After="3"))
    same = [response(b"", 304, Retry_After="5")] * 2
    runs = [json_response(job(done=n), Retry_After="5") for n in range(3)]
    two_files.on(
        STATUS, json_response(held, Retry_After="1"), *same, *runs, json_response(job("completed"))
    )

    download(two_files, tmp_path, Interactive()).run(parse_download_request(["70000"]))

    assert slept == [3, 1, 5, 5, 0.25, 0.5, 1]


def test_a_job_that_starts_soon_is_polled_when_it_starts() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=20)
    waiting = ApiResponse(200, {}, json.dumps(job("queued", runAt=soon.isoformat())).encode())
    passed = ApiResponse(200, {}, json.dumps(job("queued", runAt="2026-01-01T00:00:00Z")).encode())
    interval = PollInterval(is_interactive=True)

    assert 15 < interval.next_seconds(JobResponse.of(waiting)) <= 20
    assert interval.elapsed_seconds == 0  # counted from its start
    assert interval.next_seconds(JobResponse.of(passed)) == 0.25


def test_a_bug_is_not_reported_as_a_failed_job_and_shows_no_url() -> None:
    outcome = CommandOutcome.of(KeyError("https://store.example/?X-Amz-Signature=secret"))

    assert (outcome.exit_code, outcome.code) == (8, "client_error")
    assert outcome.message == "This program has a bug (KeyError): --traceback shows where."


def test_a_file_that_expires_before_the_fetch_is_gone(
    two_files: Fake, tmp_path: Path, slept: list[float]
) -> None:
    two_files.on(RESULT, problem(410, "expired", "The download is expired."))

    with pytest.raises(Gone):
        download(two_files, tmp_path, ProgressDisplay()).run(parse_download_request(["70000"]))

    assert list(tmp_path.iterdir()) == []


def test_steps_are_printed_in_order(
    two_files: Fake, tmp_path: Path, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("downloads_client.progress.lines.LINE_SECONDS", math.inf)  # one a step
    out = io.StringIO()

    download(two_files, tmp_path, LineDisplay(out)).run(parse_download_request(["70000", "70001"]))

    steps = [line.split()[0] for line in out.getvalue().splitlines()]
    assert steps == ["Requested", "Making", "Made", "Fetched"]


def test_a_link_is_requested_stored_and_fetched(
    two_files: Fake, tmp_path: Path, slept: list[float]
) -> None:
    out = io.StringIO()
    of_a_link = {"kind": "remote", "fileName": "a.csv", "total": None, "progress": 0}
    waiting = of_a_link | {"done": 0, "estimatedSecondsRemaining": None}
    two_files.on("/downloads", json_response(job("queued", **waiting), 202, Retry_After="3"))
    two_files.on(
        STATUS, json_response(job(**of_a_link, speed=9, threads=4)), json_response(job("completed"))
    )

    request = parse_download_request(["https://data.example/a.csv?key=secret"], {"threads": 4})
    path = download(two_files, tmp_path, LineDisplay(out)).run(request)

    (sent,) = two_files.to("/downloads")
    assert json.loads(sent.body) == {
        "url": "https://data.example/a.csv?key=secret",
        "threads": 4,
    }
    assert sent.headers["Idempotency-Key"]
    assert path.read_bytes() == CONTENT
    assert f"Requested a file from data.example: download {JOB_ID}" in out.getvalue()
    assert "secret" not in out.getvalue()
