"""Clients that send very slowly, or nothing, do not affect others."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection

from downloads_project.web_server.request import (
    GRACE_SECONDS,
    LEAST_BYTES_A_SECOND,
    RECEIVE_SECONDS,
    request_seconds_left,
)
from jobs.models import DownloadJob, StoredFile
from tests.live import Live
from tests.wire import Answer, connect, exchange, read_answer

HEAD = b"POST /v1/auth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CLOSE = b"Connection: close\r\n"
PROBE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n" + CLOSE + b"\r\n"
SHORT = HEAD + b"Content-Length: 1000\r\n\r\n"
LONG_HEAD = HEAD.replace(b"auth/token", b"download/initiate")
LONG = LONG_HEAD + b"Content-Length: 500000\r\n\r\n"
SOME = bytes(32 * 1024)
MANY = 30
EACH_SECONDS = 5  # limit for any other request: a held thread would be held for RECEIVE_SECONDS


def test_a_trickling_body_is_aborted_after_its_grace() -> None:
    assert request_seconds_left(1, 0) == pytest.approx(GRACE_SECONDS, abs=1)
    assert request_seconds_left(GRACE_SECONDS, GRACE_SECONDS + 1) <= 0


def test_a_fast_enough_body_may_take_hours() -> None:
    assert request_seconds_left(LEAST_BYTES_A_SECOND * 10_000, 10_000) == RECEIVE_SECONDS


def test_pauses_are_bounded() -> None:
    assert request_seconds_left(10_000_000_000, 0) == RECEIVE_SECONDS


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One process with four threads: two of them may wait."""
    live = Live(tmp_path_factory.mktemp("web"), {"WEB_PROCESSES": "1", "WEB_THREADS": "4"})
    try:
        live.start("web")
        yield live
    finally:
        live.stop()


def seconds_for(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def test_idle_connections_use_no_thread(web: Live) -> None:
    with ExitStack() as lines:
        for _ in range(20):
            lines.enter_context(connect(web.url))
            lines.enter_context(connect(web.url)).sendall(b"no request\r\n\r\n")

        assert seconds_for(lambda: exchange(web.url, PROBE)) < EACH_SECONDS


def test_idle_connections_are_closed_for_new_ones(web: Live) -> None:
    with ExitStack() as lines:
        for _ in range(1_500):  # a process accepts 900 at most
            lines.enter_context(connect(web.url))

        assert seconds_for(lambda: exchange(web.url, PROBE)) < EACH_SECONDS


def test_long_bodies_use_no_thread(web: Live) -> None:
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(connect(web.url)).sendall(LONG + SOME)

        assert seconds_for(lambda: exchange(web.url, PROBE)) < EACH_SECONDS
    whole = LONG_HEAD + CLOSE + b"Content-Length: 500000\r\n\r\n" + bytes(500_000)
    assert exchange(web.url, whole).status == 401


def test_a_too_long_content_length_is_413_during_the_body(web: Live) -> None:
    sent = HEAD.replace(b"auth/token", b"download/check") + b"Content-Length: 8000000\r\n\r\n"

    answer = exchange(web.url, sent, *[bytes(100_000)] * 80)

    assert (answer.status, answer.json["code"]) == (413, "too_large")
    assert answer.headers["Connection"] == "close"  # or the client sends its next request here


def test_a_disconnect_within_a_body_is_no_error(web: Live) -> None:
    for sent in (SHORT + b"{", LONG + SOME, SHORT[:-2]):
        with connect(web.url) as line:
            line.sendall(sent.replace(b" HTTP/1.1", b"?hung-up HTTP/1.1"))
            line.shutdown(socket.SHUT_WR)

            assert line.recv(1000) == b""

    log = web.processes[0].log.read_text()
    assert "hung-up" not in log
    assert "Traceback" not in log


@pytest.fixture
def live(
    tmp_path: Path, transactional_db: None, alice: User, stored_files: list[StoredFile]
) -> Iterator[Live]:
    """Two web processes as in production, on this test's database."""
    base, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    broker, _, _ = os.environ["REDIS_URL"].rpartition("/")
    urls = {
        "DATABASE_URL": f"{base}/{connection.settings_dict['NAME']}",
        "REDIS_URL": f"{broker}/1",
    }
    live = Live(tmp_path, urls)
    try:
        live.start("web")
        live.sign_in(alice)
        yield live
    finally:
        live.stop()


class Trickle(threading.Thread):
    """A client that sends the first bytes at once and then one a second."""

    def __init__(self, url: str, at_once: bytes, then: bytes) -> None:
        super().__init__()
        self.line = connect(url, 30)
        self.at_once, self.then = at_once, then
        self.answer: Answer | None = None
        self.seconds = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        sender = threading.Thread(target=self._send)
        sender.start()
        self.seconds = seconds_for(self._listen)
        self.over.set()
        sender.join()
        self.line.close()

    def _send(self) -> None:
        with suppress(OSError):
            self.line.sendall(self.at_once)
            for byte in self.then:
                if self.over.wait(1):
                    return
                self.line.sendall(bytes([byte]))

    def _listen(self) -> None:
        with suppress(AssertionError):
            self.answer = read_answer(self.line)


def test_ninety_slow_clients_do_not_delay_others_and_are_closed(live: Live) -> None:
    kinds = {
        "headers": (b"GET / HTTP/1.1\r\n", b"Host: localhost", "slow_headers"),
        "short body": (SHORT, b"{" * 30, "slow_body"),
        "long body": (LONG + SOME, b"{" * 30, "slow_body"),
    }
    slow = {
        name: [Trickle(live.url, at_once, then) for _ in range(MANY)]
        for name, (at_once, then, _) in kinds.items()
    }
    all_slow = [client for clients in slow.values() for client in clients]

    for client in all_slow:
        client.start()
    worst, asked = 0.0, 0
    while any(client.is_alive() for client in all_slow):
        worst = max(worst, seconds_for(lambda: live.status(live.initiate(70000))))
        asked += 1
        time.sleep(0.05)  # within the rate limit of an owner
    for client in all_slow:
        client.join()

    assert DownloadJob.objects.count() == asked > 10
    assert worst < EACH_SECONDS
    assert max(client.seconds for client in all_slow) < RECEIVE_SECONDS + EACH_SECONDS
    for name, (_, _, code) in kinds.items():
        told = [client.answer for client in slow[name]]
        assert {(each and each.status, each and each.json["code"]) for each in told} == {
            (408, code)
        }


def test_a_stopping_process_does_not_wait_for_slow_clients(tmp_path: Path) -> None:
    live = Live(tmp_path, {"WEB_PROCESSES": "1"})
    with ExitStack() as stack:
        stack.callback(live.stop)
        web = live.start("web")
        lines = [stack.enter_context(connect(live.url)) for _ in range(2)]
        lines[0].sendall(b"GET / HTTP/1.1\r\n")
        exchange(live.url, PROBE)  # after them

        web.ask_to_stop()

        assert web.popen.wait(RECEIVE_SECONDS - 2) == 0
        assert read_answer(lines[0]).json["code"] == "slow_headers"
        assert lines[1].recv(1) == b""
