"""Shares of a process' capacity for each client address, so that none can use all of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from types import SimpleNamespace
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest

from downloads_project.web_server import bodies, clients
from downloads_project.web_server.refusals import Refused
from downloads_project.web_server.request import ServerRequest
from downloads_project.web_server.shares import Shares
from tests.live import Live, children
from tests.test_forms import END, TYPE, file
from tests.wire import exchange, read_answer

ATTACKER, OTHER = "127.0.0.1", "127.0.0.2"
PROBE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
JSON = b"Host: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
BODY = b"POST /v1/download/initiate HTTP/1.1\r\n" + JSON + b"Content-Length: 500000\r\n\r\n"
FORM = b"Host: localhost\r\nConnection: close\r\nContent-Type: " + TYPE.encode() + b"\r\n"
TAKE = b"POST /take HTTP/1.1\r\n" + FORM
SENT = file(bytes(1_500_000)) + END
LONG = f"Content-Length: {len(SENT)}\r\n\r\n".encode()


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One process with sixteen threads: eight of them may wait for forms."""
    env = {"DJANGO_SETTINGS_MODULE": "tests.taker.settings"}
    env |= {"WEB_PROCESSES": "1", "WEB_THREADS": "16"}
    live = Live(tmp_path_factory.mktemp("web"), env)
    try:
        live.start("web")
        yield live
    finally:
        live.stop()


def connect_from(web: Live, address: str) -> socket.socket:
    to = urlsplit(web.url)
    return socket.create_connection((to.hostname, to.port), 10, source_address=(address, 0))


def ask(web: Live, address: str, sent: bytes) -> tuple[int, float]:
    """Return the status, and the duration in seconds."""
    began = time.monotonic()
    with connect_from(web, address) as line:
        line.sendall(sent)
        return read_answer(line).status, time.monotonic() - began


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\n", BODY], ids=["nothing", "head", "body"]
)
def test_slow_clients_of_one_address_do_not_delay_others(web: Live, sent: bytes) -> None:
    with ExitStack() as lines:
        slow = lines.enter_context(connect_from(web, OTHER))  # the oldest of all
        slow.sendall(PROBE[:20])
        for _ in range(2_400):
            lines.enter_context(connect_from(web, ATTACKER)).sendall(sent)

        status, seconds = ask(web, OTHER, PROBE)
        slow.sendall(PROBE[20:])

        assert status == 200
        assert seconds < 8
        assert read_answer(slow).status == 200


def test_slow_bodies_of_one_address_do_not_block_others(web: Live) -> None:
    with ExitStack() as lines:
        for _ in range(136):
            line = lines.enter_context(connect_from(web, ATTACKER))
            line.sendall(BODY + bytes(100_000))

        status, seconds = ask(web, OTHER, BODY + bytes(500_000))
        uploaded, _ = ask(web, OTHER, TAKE + LONG + SENT)

    assert (status, uploaded) == (401, 200)
    assert seconds < 8


def test_slow_forms_of_one_address_leave_room_for_others(web: Live) -> None:
    with ExitStack() as lines:
        slow = [lines.enter_context(connect_from(web, ATTACKER)) for _ in range(12)]
        for line in slow:
            line.sendall(TAKE + LONG + SENT[:100_000])
        refused = [line for line in slow if _is_answered(line)]

        status, _ = ask(web, OTHER, TAKE + LONG + SENT)

    assert status == 200
    assert len(refused) >= 5  # of eight places one address gets seven


def test_anonymous_uploads_use_no_thread(web: Live) -> None:
    with ExitStack() as lines:
        for _ in range(40):
            line = lines.enter_context(connect_from(web, ATTACKER))
            line.sendall(TAKE.replace(b"/take", b"/upload") + LONG + SENT[:100_000])
            assert b" 401 " in line.recv(100)

        assert ask(web, ATTACKER, TAKE + LONG + SENT)[0] == 200


def test_many_new_connections_end_no_process(web: Live) -> None:
    """The longest-waiting connection is closed to make room, and sends a request at that moment."""
    before = children(web.processes[0].popen.pid)
    to = urlsplit(web.url)
    with ExitStack() as stack:
        lines: list[socket.socket] = []
        for n in range(1_800):
            line = stack.enter_context(socket.socket())
            line.setblocking(False)
            line.connect_ex((to.hostname, to.port))
            lines.append(line)
            for earlier in (860, 864, 868, 872, 998, 1_000, 1_002):
                if n >= earlier:
                    with suppress(OSError):
                        lines[n - earlier].send(PROBE)
            time.sleep(0.0005)
        time.sleep(1)

    assert exchange(web.url, PROBE).status == 200
    assert children(web.processes[0].popen.pid) == before
    assert "Traceback" not in web.processes[0].log.read_text()


def _is_answered(line: socket.socket) -> bool:
    line.settimeout(1)
    try:
        return b" 503 " in line.recv(100)
    except TimeoutError:
        return False


# The rules themselves


def test_one_client_alone_gets_four_fifths() -> None:
    shares = Shares(100)

    for _ in range(81):
        shares.take("a", 1)

    with pytest.raises(Refused):
        shares.take("a", 1)
    for _ in range(12):
        shares.take("b", 1)


def test_one_client_can_have_fifty_uploads() -> None:
    places = Shares(64)  # half of the 128 threads

    for _ in range(50):
        places.take("a", 1)


def test_released_places_can_be_reused() -> None:
    shares = Shares(5)
    for _ in range(1_000):
        shares.take("a", 3)
        shares.give_back("a", 3)

    assert shares.free == 5


def test_a_body_that_is_read_twice_counts_once() -> None:
    """As Django does after a native endpoint has left a request to it."""
    shares, request = Shares(100), ServerRequest.__new__(ServerRequest)
    request._connection = Mock(connections=Mock(held_bytes=shares))

    for size in (10, 30, 10, 30):
        request.hold("a", size)

    assert shares.free == 70


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/v1/auth/token", 8_192),
        ("/v1/auth/token/refresh", 8_192),
        ("/v1/auth/token/revoke", 8_192),
        ("/v1/download/check", 131_072),
        ("/v1/download/6f1c7a52-5b0a-4a4e-a6a5-6a1cbd5f7a77/retry", 131_072),
        ("/admin/retry/6f1c7a52-5b0a-4a4e-a6a5-6a1cbd5f7a77", 131_072),
        ("/downloads", 131_072),
        ("/downloads/6f1c7a52-5b0a-4a4e-a6a5-6a1cbd5f7a77/retry", 131_072),
        ("/upload/chunked", 131_072),
        ("/v1/download/initiate", 1_000_000),
        ("/v1/download/start", 1_000_000),
        ("/settings", 1_000_000),
        ("/admin/auth/user/add/", 1_000_000),
        ("/nowhere", 1_000_000),
    ],
)
def test_body_limits_depend_on_the_path(web: Live, path: str, most: int) -> None:
    head = f"POST {path} HTTP/1.1\r\n".encode() + JSON
    announced = exchange(web.url, head + f"Content-Length: {most + 1}\r\n\r\n".encode())
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (most + 1)
    came = exchange(web.url, chunked, bytes(most + 1), b"\r\n")
    whole = exchange(web.url, head + f"Content-Length: {most}\r\n\r\n".encode(), bytes(most))

    assert (announced.status, announced.json["code"]) == (413, "too_large")
    assert (came.status, came.json["code"]) == (413, "too_large")
    assert b"too large to be read" not in whole.body  # Django's limit may be lower


def test_long_forms_are_accepted_only_for_uploads(web: Live) -> None:
    token = exchange(web.url, TAKE.replace(b"/take", b"/v1/auth/token") + LONG)

    assert token.status == 413
    assert bodies.body_limit("/upload").takes_files
    assert bodies.body_limit("/upload/chunked").takes_files


# Client addresses


@pytest.fixture
def behind_proxies(settings: SimpleNamespace) -> Iterator[SimpleNamespace]:
    caches = (clients.is_proxy_client, clients._forwarded_client, clients._proxies)
    for each in caches:
        each.cache_clear()
    yield settings
    for each in caches:
        each.cache_clear()


def scope_of(peer: str, forwarded: bytes) -> dict[str, object]:
    return {"client": (peer, 1), "headers": [(b"x-forwarded-for", forwarded)]}


def test_a_client_is_its_peer_unless_that_is_a_trusted_proxy(
    behind_proxies: SimpleNamespace,
) -> None:
    behind_proxies.TRUSTED_PROXIES = ["10.0.0.0/8"]

    assert clients.client_key(scope_of("10.1.2.3", b"192.0.2.1")) == "192.0.2.1"
    assert clients.client_key(scope_of("192.0.2.2", b"192.0.2.1")) == "192.0.2.2"
    assert clients.is_proxy_client("10.1.2.3")
    assert not clients.is_proxy_client("192.0.2.2")


def test_forwarded_addresses_are_ignored_without_trusted_proxies(
    behind_proxies: SimpleNamespace,
) -> None:
    assert clients.client_key(scope_of("10.1.2.3", b"192.0.2.1")) == "10.1.2.3"
    assert not clients.is_proxy_client("10.1.2.3")


def test_with_a_number_of_proxies_each_peer_is_one(behind_proxies: SimpleNamespace) -> None:
    behind_proxies.TRUSTED_PROXY_HOPS = 1

    assert clients.client_key(scope_of("10.1.2.3", b"192.0.2.9, 192.0.2.1")) == "192.0.2.1"
    assert clients.is_proxy_client("192.0.2.2")


def test_ipv6_neighbours_are_one_client() -> None:
    assert clients.peer_client("2001:db8::1") == clients.peer_client("2001:db8::ffff")
