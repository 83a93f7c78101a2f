"""The web server below the application: HTTP as clients, proxies and attackers send it."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.live import Live, until
from tests.wire import connect, exchange, read_answer

HOST = b"Host: localhost\r\n"
CLOSE = b"Connection: close\r\n"


def get(path: str, *headers: bytes) -> bytes:
    return f"GET {path} HTTP/1.1\r\n".encode() + HOST + b"".join(headers) + b"\r\n"


def post(path: str, body: bytes, *headers: bytes) -> bytes:
    length = f"Content-Length: {len(body)}\r\n".encode()
    head = f"POST {path} HTTP/1.1\r\n".encode() + HOST + length + b"".join(headers)
    return head + b"\r\n" + body


def start(folder: Path, *options: str) -> Live:
    live = Live(folder, {"WEB_PROCESSES": "1", "WEB_STOPS_SECONDS": "20"})
    live.start("web", "tests.prober.asgi:application", *options)
    return live


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    live = start(tmp_path_factory.mktemp("web"))
    try:
        yield live
    finally:
        live.stop()


def log(web: Live) -> str:
    return web.processes[0].log.read_text()


# Sequential requests


def test_pipelined_requests_are_answered_in_order(web: Live) -> None:
    sent = post("/echo", b"one") + post("/echo", b"two") + get("/echo", CLOSE)

    first = exchange(web.url, sent)

    assert first.body == b"one"
    assert first.headers["Connection"] is None
    assert re.findall(rb"\r\n\r\n(two)?", first.rest) == [b"two", b""]


def test_a_request_waits_for_the_previous_response(web: Live) -> None:
    with connect(web.url) as line:
        line.sendall(post("/echo", b"one")[:-1])
        time.sleep(0.1)
        line.sendall(b"e" + post("/echo", b"two", CLOSE))

        assert re.findall(rb"\r\n\r\n(on?e?|two)", _read(line)) == [b"one", b"two"]


def test_a_body_ends_at_its_content_length(web: Live) -> None:
    answer = exchange(web.url, post("/echo", b"ab") + b"G@T / HTTP/1.1\r\n\r\n")

    assert answer.body == b"ab"
    assert answer.rest.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "coding", [b"identity", b"gzip, chunked", b"chunked, identity", b"chunked\r\n\tx", b"xchunked"]
)
def test_other_transfer_codings_are_refused(web: Live, coding: bytes) -> None:
    head = b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: " + coding + b"\r\n\r\n"

    answer = exchange(web.url, head + b"5\r\nhello\r\n0\r\n\r\n")

    assert answer.status in (400, 501)
    assert answer.rest == b""


def test_an_absolute_target_is_not_part_of_the_path(web: Live) -> None:
    answer = exchange(web.url, get("http://localhost/scheme?a=b", CLOSE))

    assert answer.body.startswith(b"http /scheme a=b 127.0.0.1 ")


@pytest.mark.parametrize("host", [b"", HOST, b"Host: other.example:81\r\n"])
@pytest.mark.parametrize("scheme", [b"http", b"HTTPS"])
def test_the_host_of_an_absolute_target_counts(web: Live, scheme: bytes, host: bytes) -> None:
    line = b"GET " + scheme + b"://Target.Example:80/host?a HTTP/1.1\r\n"

    answer = exchange(web.url, line + CLOSE + host + b"\r\n")

    assert answer.body == b"Target.Example:80"


@pytest.mark.parametrize(
    "origin", ["http://", "http://u:secret@localhost", "ftp://localhost", "x://"]
)
def test_an_absolute_target_without_a_host_is_refused(web: Live, origin: str) -> None:
    answer = exchange(web.url, get(f"{origin}/refused#secret", CLOSE))

    assert (answer.status, answer.json["code"]) == (400, "invalid")
    assert f'"GET /refused HTTP/1.1" 400 {len(answer.body)} 0ms' in log(web)
    assert "secret@" not in log(web)
    assert "#secret" not in log(web)


def test_a_path_is_decoded_once(web: Live) -> None:
    assert exchange(web.url, get("/sche%6De?%41", CLOSE)).body.startswith(b"http /scheme %41 ")
    assert exchange(web.url, get("/sche%256De", CLOSE)).body == b"hello"


def test_headers_with_underscores_are_dropped(web: Live) -> None:
    answer = exchange(web.url, get("/scheme", CLOSE, b"X_User-Id: a\r\nX-User-Id: b\r\n"))

    assert answer.body.endswith(b" connection host x-user-id")


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        (b"X-Forwarded-Proto: https\r\n", b"https "),
        (b"X-Forwarded-Proto: http\r\n", b"http "),
        (b"X-Forwarded-Proto: HTTPS\r\n", b"http "),
        (b"X-Forwarded-Ssl: on\r\n", b"https "),
    ],
)
def test_a_local_proxy_sets_the_scheme(web: Live, headers: bytes, scheme: bytes) -> None:
    assert exchange(web.url, get("/scheme", CLOSE, headers)).body.startswith(scheme)


def test_contradicting_schemes_are_ignored(web: Live) -> None:
    sent = get("/scheme", b"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n")

    assert exchange(web.url, sent).status == 400


def test_other_machines_cannot_set_the_scheme(web: Live) -> None:
    with _from(web, "127.0.0.2") as line:
        line.sendall(get("/scheme", CLOSE, b"X-Forwarded-Proto: https\r\n"))

        assert read_answer(line).body.startswith(b"http /scheme  127.0.0.2 ")


def test_http_1_0_closes_without_keep_alive(web: Live) -> None:
    asked = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"

    answer = exchange(web.url, asked + b"GET / HTTP/1.0\r\n\r\n")

    assert answer.headers["Connection"] == "keep-alive"
    assert b"Connection: close\r\n" in answer.rest


def test_http_1_0_gets_no_chunks(web: Live) -> None:
    answer = exchange(web.url, b"GET /flood HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")

    assert answer.headers["Connection"] == "close"
    assert answer.body == bytes(8 * 2**20)


def test_websockets_are_refused(web: Live) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"

    answer = exchange(
        web.url, get("/", upgrade + b"Sec-WebSocket-Key: " + b"a" * 22 + b"==\r\n"), get("/", CLOSE)
    )

    assert (answer.status, answer.body) == (200, b"hello")


# Bodies


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_body_that_is_too_long_is_413(web: Live, framing: str) -> None:
    if framing == "length":
        answer = exchange(web.url, post("/echo", bytes(600_000)))
    else:
        head = b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
        answer = exchange(web.url, head, b"186a1\r\n" + bytes(100_001) + b"\r\n")

    assert (answer.status, answer.json["code"]) == (413, "too_large")
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize("path", ["/unread", "/echo", "/nowhere"])
def test_an_unread_body_does_not_break_other_requests(web: Live, path: str) -> None:
    """Proxies send requests of many clients over one connection, unless its close is announced."""
    to = urlsplit(web.url)
    line = HTTPConnection(str(to.hostname), to.port, timeout=10)
    for _ in range(20):
        line.request("POST", path, bytes(600_000))
        line.getresponse().read()
        line.request("GET", "/")

        assert line.getresponse().read() == b"hello"
    line.close()


def test_100_continue_is_sent_when_the_body_is_read(web: Live) -> None:
    with connect(web.url) as line:
        line.sendall(post("/echo", b"ab", CLOSE, b"Expect: 100-continue\r\n")[:-2])
        assert line.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"

        line.sendall(b"ab")

        assert read_answer(line).body == b"ab"


def test_no_100_continue_is_sent_if_the_body_is_not_read(web: Live) -> None:
    answer = exchange(web.url, post("/unread", bytes(9), b"Expect: 100-continue\r\n")[:-9])

    assert (answer.status, answer.headers["Connection"]) == (401, "close")


def test_a_disconnect_within_a_body_gets_no_response(web: Live) -> None:
    with connect(web.url) as line:
        line.sendall(post("/echo?hung-up", bytes(100))[:-1])
        line.shutdown(socket.SHUT_WR)

        assert line.recv(1000) == b""


def test_a_half_closed_client_gets_its_response(web: Live) -> None:
    with connect(web.url) as line:
        line.sendall(post("/echo", b"ab"))
        line.shutdown(socket.SHUT_WR)

        assert read_answer(line).body == b"ab"


# Responses


def test_an_error_is_a_problem_without_details(web: Live) -> None:
    answer = exchange(web.url, get("/broken"))

    assert (answer.status, answer.json["code"]) == (500, "internal")
    assert b"secret" not in answer.body
    assert f"request {answer.json['requestId']} broke" in log(web)


@pytest.mark.parametrize("path", ["/silent", "/split"])
def test_an_invalid_response_is_an_error(web: Live, path: str) -> None:
    assert exchange(web.url, get(path)).status == 500


def test_a_broken_response_is_detectable(web: Live) -> None:
    answer = exchange(web.url, get("/half"))

    assert not answer.body.endswith(b"0\r\n\r\n")


def test_a_response_has_its_content_length(web: Live) -> None:
    assert exchange(web.url, get("/short")).body == b"ab"  # and then the connection is closed
    assert exchange(web.url, get("/long", CLOSE)).body == b"abc"


def test_head_has_no_body(web: Live) -> None:
    answer = exchange(web.url, get("/long", CLOSE).replace(b"GET", b"HEAD"))

    assert (answer.headers["Content-Length"], answer.body) == ("3", b"")


def test_a_client_that_does_not_read_pauses_the_response(web: Live) -> None:
    with connect(web.url) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.sendall(get("/flood", CLOSE))
        time.sleep(0.5)
        assert exchange(web.url, get("/", CLOSE)).status == 200

        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)  # or it takes minutes
        assert len(_read(line)) > 8 * 2**20


def test_a_client_that_does_not_read_is_disconnected(tmp_path: Path) -> None:
    live = start(tmp_path, "--keep-alive=1")
    try:
        with socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            to = urlsplit(live.url)
            line.connect((to.hostname, to.port))
            line.sendall(get("/some") * 20)
            until(lambda: exchange(live.url, get("/count", CLOSE)).body == b"2")

            until(lambda: exchange(live.url, get("/count", CLOSE)).body == b"1", 25)
    finally:
        live.stop()


def test_each_request_is_a_line_in_the_log(web: Live) -> None:
    exchange(web.url, get("/logged?secret", CLOSE))
    exchange(web.url, post("/echo?secret", b"abc", CLOSE))

    assert re.search(r'127\.0\.0\.1 "GET /logged HTTP/1\.1" 200 5 \d+ms Probe\n', log(web))
    assert re.search(r'127\.0\.0\.1 "POST /echo HTTP/1\.1" 200 3 \d+ms Probe\n', log(web))
    assert "?secret" not in log(web)


# Event streams


def test_an_application_can_end_with_its_client(web: Live) -> None:
    before = int(exchange(web.url, get("/left", CLOSE)).body)
    with connect(web.url) as line:
        line.sendall(get("/events"))
        assert b"first" in line.recv(1000)

    until(lambda: int(exchange(web.url, get("/left", CLOSE)).body) == before + 1)


def test_a_stopping_process_lets_streams_end(tmp_path: Path) -> None:
    live = start(tmp_path)
    try:
        with connect(live.url) as stream, connect(live.url) as idle:
            idle.sendall(get("/"))
            idle.recv(1000)
            stream.sendall(get("/events"))
            stream.recv(1000)

            began = time.monotonic()
            live.processes[0].ask_to_stop()

            assert idle.recv(1000) == b""
            assert b"last" in _read(stream)
            assert live.processes[0].popen.wait(30) == 0
            assert time.monotonic() - began < 15  # not as long as the timeout
    finally:
        live.stop()


def test_the_server_logged_no_errors(web: Live) -> None:
    for trace in log(web).split("Traceback")[1:]:
        assert re.search(r"RuntimeError: (secret|A header has|The application returned)", trace)
    assert "never retrieved" not in log(web)


def _read(line: socket.socket) -> bytes:
    found = b""
    while piece := line.recv(65536):
        found += piece
    return found


def _from(web: Live, address: str) -> socket.socket:
    to = urlsplit(web.url)
    return socket.create_connection((to.hostname, to.port), 10, source_address=(address, 0))
