"""The hostile server itself: correct by default, and its counts are right."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from urllib.request import urlopen

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.content import PERIOD, WEAK, File, content
from tests.hostile.exchange import Exchange, honest
from tests.hostile.modes import MODES
from tests.hostile.rebinding import rebinding
from tests.hostile.server import Peer
from tests.live import until
from tests.wire import connect

FILE = File(size=3_000_000)
LONGER = content(FILE.seed, 0, FILE.size + 200)
BYTES = LONGER[: FILE.size]
PLACES = st.integers(0, FILE.size + 10)


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture(scope="module")
def line(peer: Peer) -> Iterator[HTTPConnection]:
    """One connection that all tests share."""
    with kept(peer) as connection:
        yield connection


def kept(peer: Peer) -> closing[HTTPConnection]:
    return closing(HTTPConnection("127.0.0.1", peer.port, timeout=10))


def ask(line: HTTPConnection, path: str, **headers: str) -> tuple[HTTPResponse, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    line.request("GET", path, headers=named)
    answer = line.getresponse()
    return answer, answer.read()


@settings(deadline=None, derandomize=True, max_examples=50)
@given(first=PLACES, length=st.integers(1, 2_000_000))
def test_a_range_is_answered_with_its_bytes(
    peer: Peer, line: HTTPConnection, first: int, length: int
) -> None:
    peer.serve("/ranges", FILE)

    answer, body = ask(line, "/ranges", Range=f"bytes={first}-{first + length - 1}")

    if first >= FILE.size:
        assert (answer.status, body) == (416, b"")
        assert answer.headers["Content-Range"] == f"bytes */{FILE.size}"
        return
    assert answer.status == 206
    assert body == BYTES[first : first + length]
    last = first + len(body) - 1
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{FILE.size}"


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [
        ("bytes=2999990-", 206, BYTES[-10:]),
        ("bytes=-10", 206, BYTES[-10:]),
        ("bytes=-9000000", 206, BYTES),
        ("bytes=-0", 416, b""),
        ("bytes=3000000-", 416, b""),
        ("bytes=5-4", 200, BYTES),
        ("bytes=0-1,5-6", 200, BYTES),
        ("lines=0-1", 200, BYTES),
        ("bytes=-", 200, BYTES),
    ],
)
def test_ranges_of_other_forms(
    peer: Peer, line: HTTPConnection, asked: str, status: int, body: bytes
) -> None:
    peer.serve("/forms", FILE)

    answer, got = ask(line, "/forms", Range=asked)

    assert answer.status == status
    assert got == body


@pytest.mark.parametrize(
    ("file", "if_range", "status"),
    [
        (FILE, '"1-3000000"', 206),
        (FILE, '"2-3000000"', 200),
        (FILE, "Sun, 13 Sep 2020 12:26:40 GMT", 206),
        (FILE, "Sun, 13 Sep 2020 12:26:41 GMT", 200),
        (File(size=FILE.size, etag=WEAK), 'W/"1-3000000"', 200),
        (File(size=FILE.size, etag=None), '"1-3000000"', 200),
    ],
)
def test_if_range_of_another_file_gets_the_whole_file(
    peer: Peer, line: HTTPConnection, file: File, if_range: str, status: int
) -> None:
    peer.serve("/validators", file)

    answer, body = ask(line, "/validators", Range="bytes=7-8", If_Range=if_range)

    assert answer.status == status
    assert body == (BYTES[7:9] if status == 206 else BYTES)


@settings(deadline=None, derandomize=True)
@given(first=PLACES, shift=st.sampled_from([1, 512, 4096, 65536, 2**20, 5 * 2**20, 8 * 10**6]))
def test_bytes_in_the_wrong_place_are_detected(first: int, shift: int) -> None:
    assert content(1, first, 32) != content(1, first + shift, 32)


@settings(deadline=None, derandomize=True)
@given(first=PLACES, count=st.integers(0, 100))
def test_content_does_not_depend_on_the_range(first: int, count: int) -> None:
    assert LONGER[first : first + count] == content(1, first, count)
    assert content(1, PERIOD - 3, 6) == content(1, PERIOD - 3, 3) + content(1, PERIOD, 3)


def test_head_sends_the_headers_only(peer: Peer, line: HTTPConnection) -> None:
    peer.serve("/head", File(content_type="text/csv", disposition='attachment; filename="a.csv"'))

    line.request("HEAD", "/head")
    answer = line.getresponse()

    assert answer.read() == b""
    assert answer.headers["Content-Length"] == "1000003"
    assert answer.headers["Content-Type"] == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="a.csv"'
    assert peer.sent("/head") == 0


def test_a_persistent_connection_is_counted_once() -> None:
    with Peer() as peer:
        peer.serve("/file", FILE)

        with kept(peer) as line:
            for n in range(3):
                ask(line, "/file", Range=f"bytes={n}-{n}")

            assert (peer.connections, peer.open_now) == (1, 1)
        until(lambda: peer.open_now == 0)


def test_requested_and_sent_ranges_are_counted_separately() -> None:
    with Peer() as peer, kept(peer) as line:
        peer.serve("/file", FILE)

        ask(line, "/file", Range="bytes=100-199")
        ask(line, "/file", Range="bytes=2999990-3999999", If_Range='"1-3000000"')
        ask(line, "/other")

        assert peer.ranges("/file") == [(100, 199), (2999990, 3999999)]
        assert peer.sent_ranges("/file") == [(100, 100), (2999990, 10)]
        assert peer.sent("/file") == 110
        assert [request.path for request in peer.requests] == ["/file", "/file", "/other"]
        assert peer.requests[1].headers["if-range"] == '"1-3000000"'


def test_only_bytes_before_the_break_are_counted() -> None:
    with Peer() as peer, kept(peer) as line:
        peer.serve("/file", MODES["drops-at-60-percent"])

        with pytest.raises(IncompleteRead) as broken:
            ask(line, "/file", Range="bytes=1000-1999")

        assert len(broken.value.partial) == 600
        assert peer.sent_ranges("/file") == [(1000, 600)]


def test_concurrent_requests_are_counted() -> None:
    with Peer() as peer:
        url = peer.serve("/file", MODES["stalls-after-headers"])

        with connect(url) as one, connect(url) as other:
            for line in (one, other):
                line.sendall(b"GET /file HTTP/1.1\r\n\r\n")
                assert line.recv(1)

        assert peer.most_at_once("/file") == 2


def test_a_request_ends_when_its_response_was_read() -> None:
    async def lingers(exchange: Exchange) -> None:
        await honest(exchange)
        await exchange.hang()

    with Peer() as peer, kept(peer) as one, kept(peer) as other:
        peer.serve("/file", File(size=10, misbehave=lingers))

        ask(one, "/file")
        ask(other, "/file")

        assert peer.most_at_once("/file") == 1


def test_a_file_is_never_faster_than_its_rate() -> None:
    with Peer() as peer:
        url = peer.serve("/file", File(size=100_000, rate=500_000))
        began = time.monotonic()

        with urlopen(url) as answer:
            body = answer.read()

        assert time.monotonic() - began >= 0.2
        assert body == content(1, 0, 100_000)


def test_another_file_at_the_same_address() -> None:
    with Peer() as peer:
        url = peer.serve("/file", FILE)
        urlopen(url).close()

        peer.serve("/file", FILE.successor())
        with urlopen(url) as answer:
            body = answer.read()

        assert body == content(2, 0, FILE.size)
        assert answer.headers["ETag"] == '"2-3000000"'
        assert len(peer.requests) == 2


def test_ipv6_has_the_same_port() -> None:
    with Peer(hosts=("127.0.0.1", "::1")) as peer:
        peer.serve("/file", File(size=10))

        with urlopen(f"http://[::1]:{peer.port}/file") as answer:
            assert answer.read() == content(1, 0, 10)


def test_a_stopped_peer_leaves_no_thread_and_no_waiting_client() -> None:
    before = set(threading.enumerate())
    with Peer() as peer:
        line = connect(peer.serve("/file", MODES["never-answers"]))
        line.sendall(b"GET /file HTTP/1.1\r\n\r\n")
        until(lambda: peer.requests)

    with line:
        assert line.recv(1) == b""
    assert set(threading.enumerate()) == before


def test_a_rebound_name_resolves_elsewhere_the_second_time() -> None:
    with rebinding("files.example", first="93.184.215.14", then="127.0.0.1") as name:
        found = [socket.getaddrinfo("files.example", 80)[0][4][0] for _ in range(3)]
        other = socket.getaddrinfo("127.0.0.2", 80)[0][4][0]

    assert found == ["93.184.215.14", "127.0.0.1", "127.0.0.1"]
    assert other == "127.0.0.2"
    assert name.calls == 3


def test_the_server_for_benchmarks_prints_its_address_and_is_correct() -> None:
    command = [sys.executable, "-m", "tests.hostile.fast", "0", "3000000", "30000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            url = server.stdout.readline().strip()
            with urlopen(url, timeout=10) as answer:
                assert answer.read() == BYTES
        finally:
            server.terminate()
