"""The logs of the real processes: every line is JSON, and every move of a job has one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile

from downloads_project.processes import StackError
from jobs import storage
from jobs.models import StoredFile
from tests.live import Live, on_this_database, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def live(tmp_path: Path, alice: User, stored_files: list[StoredFile]) -> Iterator[Live]:
    live = Live(tmp_path, on_this_database() | {"LOG_JSON": "true", "WEB_PROCESSES": "1"})
    live.sign_in(alice)
    try:
        yield live
    finally:
        live.stop()


def lines_of(live: Live) -> list[dict[str, Any]]:
    """Return all lines of all processes. Fails unless each is a JSON object with a time."""
    found = []
    for process in live.processes:
        for text in process.log.read_text().splitlines():
            try:
                line = json.loads(text)
                age = datetime.now(UTC) - datetime.fromisoformat(line["timestamp"])
            except (ValueError, KeyError, TypeError) as error:
                raise AssertionError(f"{process.log.name}: {text}") from error
            assert timedelta(0) <= age < timedelta(minutes=10), line
            assert line["event"], line
            assert line["level"] in ("debug", "info", "warning", "error", "critical"), line
            found.append(line)
    return found


def test_every_line_is_json_with_a_time(live: Live) -> None:
    for name in ("web", "worker", "dispatcher"):
        live.start(name)
    live.wait_for(live.initiate(70000), "completed")
    live.session.get(f'{live.url}/nowhere"?secret=1', timeout=5)
    until(lambda: "dispatcher ready" in live.logs())

    live.stop()

    lines = lines_of(live)
    events = {line["event"] for line in lines}
    assert {"worker starts", "dispatcher ready", "request"} <= events
    assert any(event.startswith("Starting gunicorn") for event in events)
    assert any(event.endswith(" ready.") for event in events)
    assert any("shutdown" in event for event in events)  # Celery's, in a signal handler
    assert any(line.get("path") == "/nowhere%22" for line in lines)


def test_what_stops_the_start_is_logged_as_json(live: Live) -> None:
    contradiction = {"TRUSTED_PROXIES": "10.0.0.0/8", "TRUSTED_PROXY_HOPS": "1"}
    for variables in ({"LEASE_SECONDS": "60s"}, contradiction):
        for name in ("web", "worker", "dispatcher"):
            with suppress(StackError):  # web does not respond
                live.start(name, **variables)
    until(lambda: not any(process.is_alive for process in live.processes), 60, live.logs)

    events = [line["event"] for line in lines_of(live)]
    assert sum("LEASE_SECONDS is '60s'" in event for event in events) == 3
    assert sum("TRUSTED_PROXY_HOPS are both set" in event for event in events) == 3


def test_every_move_of_a_job_has_a_line(live: Live, stored_files: list[StoredFile]) -> None:
    live.start("web")
    cancelled, retried = live.initiate(70000), live.initiate(70002)
    headers = {"X-Request-ID": "of-the-cancellation"}
    live.session.delete(f"{live.url}/v1/download/{cancelled}", headers=headers, timeout=10)
    storage.bucket().delete(stored_files[2].key)
    for name in ("worker", "dispatcher"):
        live.start(name)
    live.wait_for(retried, "failed")
    storage.bucket().save(stored_files[2].key, ContentFile(b"\xff\xd8" + bytes(300_000)))
    live.session.post(f"{live.url}/v1/download/{retried}/retry", timeout=10)
    link = live.wait_for(retried, "completed")["downloadUrl"]
    assert requests.get(link, timeout=10).ok
    live.stop()

    lines = lines_of(live)
    moves = [line for line in lines if line.get("job_id") and "kind" in line]
    moves.sort(key=lambda line: line["timestamp"])
    assert [line["event"] for line in moves if line["job_id"] == cancelled] == [
        *("submitted", "cancelled"),
    ]
    assert [line["event"] for line in moves if line["job_id"] == retried] == [
        *("submitted", "claimed", "failed", "requeued", "claimed", "succeeded"),
    ]
    assert all(line["request_id"] and line["kind"] == "bundle" for line in moves)
    assert next(line["by_request_id"] for line in moves if "by_request_id" in line) == (
        "of-the-cancellation"
    )
    assert {line["worker"] for line in moves if line["event"] == "claimed"} == {"w1@test"}
    text = "".join(process.log.read_text() for process in live.processes)
    token = str(live.session.headers["Authorization"]).split()[1]
    options = settings.STORAGES["default"]["OPTIONS"]
    for secret in ("X-Amz", token, settings.SECRET_KEY, options["secret_key"]):
        assert secret not in text
    for file in stored_files:
        assert file.name not in text


def test_debug_lines_are_ours_and_no_line_comes_twice(live: Live) -> None:
    live.start("web", LOG_LEVEL="DEBUG", DEBUG="true")
    live.start("worker", LOG_LEVEL="DEBUG")
    live.wait_for(live.initiate(70000), "completed")
    live.session.get(live.url, headers={"Host": "unknown.example"}, timeout=10)
    live.stop()

    lines = lines_of(live)
    ours = {line["logger"] for line in lines if line["level"] == "debug"}
    assert ours == {"jobs.engine.phases"}
    assert sum("unknown.example" in line["event"] for line in lines) == 1
    assert sum(line["event"] == "claimed" for line in lines) == 1
