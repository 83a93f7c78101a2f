"""With SENTRY_DSN, errors of all processes are sent to Sentry, without personal data."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.live import Live, on_this_database, until

pytest.importorskip("sentry_sdk")
pytestmark = pytest.mark.django_db(transaction=True)
received: list[dict[str, Any]] = []


class Receiver(BaseHTTPRequestHandler):
    """What of Sentry receives envelopes: a header, then a header and a body for each item."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        _, *items = body.splitlines()
        for head, item in zip(items[::2], items[1::2], strict=True):
            if json.loads(head)["type"] == "event":
                received.append(json.loads(item))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def dsn() -> Iterator[str]:
    received.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://key@127.0.0.1:{server.server_port}/1"
    server.shutdown()
    server.server_close()


@pytest.fixture
def live(tmp_path: Path, alice: User, dsn: str) -> Iterator[Live]:
    own = {"SENTRY_DSN": dsn, "KINDS": "tests.special_kinds.Faulty", "LOG_JSON": "true"}
    live = Live(tmp_path, on_this_database() | own)
    live.sign_in(alice)
    try:
        yield live
    finally:
        live.stop()


def test_bugs_of_web_and_worker_are_reported(live: Live) -> None:
    live.start("web")
    live.start("worker")
    headers = {"X-Request-ID": "the-request"}

    def request(place: str) -> Any:
        url = f"{live.url}/v1/jobs/faulty"
        return live.session.post(url, json={"place": place}, headers=headers, timeout=10)

    assert request("web").status_code == 500
    job_id = request("worker").json()["jobId"]
    live.wait_for(job_id, "failed")
    until(lambda: len(received) >= 2, 30, live.logs)

    by_role = {event["server_name"]: event for event in received}
    web, worker = by_role["web"], by_role["worker"]
    assert web["tags"]["request_id"] == "the-request"
    assert worker["tags"] | {"logger": ""} == {
        **{"request_id": "the-request", "job_id": job_id, "kind": "faulty", "attempt": "1"},
        **{"phase": "build", "event": "unexpected error", "logger": ""},
    }
    for event in received:
        (error,) = event["exception"]["values"][-1:]
        assert error["type"] == "RuntimeError"
        assert error["stacktrace"]["frames"][-1]["function"] == "_break"
        assert error["value"] == "https://data.example/a?[query] [e-mail] 12"
        assert "user" not in event
        assert "request" not in event
        assert "vars" not in error["stacktrace"]["frames"][-1]
