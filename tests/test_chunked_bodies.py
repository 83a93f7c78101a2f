"""Chunked bodies, which WSGI does not know and Django would not read."""

from __future__ import annotations

import re
import socket

import pytest

from tests.live import Live
from tests.wire import connect, exchange

POST = b"POST /v1/auth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
HEAD = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LAST = HEAD.replace(b"chunked\r\n", b"chunked\r\nConnection: close\r\n")
PROBE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
BROKEN = {
    "a size that is none": b"secret\r\n",
    "no size": b"\r\n",
    "no end of line after a chunk": b"2\r\n{}secret",
    "a bad extension": b"2;=\rsecret\r\n{}\r\n0\r\n\r\n",
    "a trailer that may be none": b"2\r\n{}\r\n0\r\nHost: secret\r\n\r\n",
}


def test_a_chunked_body_is_read(web: Live) -> None:
    answer = exchange(web.url, LAST, b'5\r\n{"use\r\n', b'c\r\nrname": "x"}\r\n0\r\n\r\n')

    assert answer.status == 400
    assert [each["field"] for each in answer.json["errors"]] == ["password"]


def test_an_invalid_json_body_is_400(web: Live) -> None:
    assert "JSON" in exchange(web.url, LAST, b"1\r\n{\r\n0\r\n\r\n").json["detail"]


def test_the_next_request_on_the_connection_is_read(web: Live) -> None:
    answer = exchange(web.url, HEAD + b"2\r\n{}\r\n0\r\n\r\n" + PROBE)

    assert answer.status == 400
    assert answer.rest.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_broken_chunks_are_400_once(web: Live, body: bytes) -> None:
    answer = exchange(web.url, HEAD, body)

    assert (answer.status, answer.json["code"], answer.rest) == (400, "invalid", b"")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert b"secret" not in answer.body
    line = rf'"POST /v1/auth/token HTTP/1\.1" 400 \d+ \d+ms {answer.json["requestId"]}'
    assert re.search(line, web.processes[0].log.read_text())


def test_a_too_long_body_is_413(web: Live) -> None:
    answer = exchange(web.url, HEAD, b"200000\r\n" + bytes(0x200000) + b"\r\n0\r\n\r\n")

    assert (answer.status, answer.json["code"]) == (413, "too_large")


def test_expect_100_continue_is_answered(web: Live) -> None:
    waiting = LAST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    with connect(web.url) as line:
        line.sendall(waiting)

        assert line.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"

        line.sendall(b"2\r\n{}\r\n0\r\n\r\n")
        assert line.recv(1000).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("body", [b"", b"5\r\n{", b"2\r\n{}\r\n"])
def test_a_disconnect_is_no_error(web: Live, body: bytes) -> None:
    with connect(web.url) as line:
        line.sendall(HEAD.replace(b"/token", b"/token?hung-up") + body)
        line.shutdown(socket.SHUT_WR)

        assert line.recv(1000) == b""  # closed: the server has handled it

    log = web.processes[0].log.read_text()
    assert "hung-up" not in log
    assert "Traceback" not in log
