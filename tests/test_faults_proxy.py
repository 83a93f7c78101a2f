"""The proxy of the fault tests breaks connections in each of its ways, and only as commanded."""

from __future__ import annotations

import gc
import http.client
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from django.conf import settings

from tests.faults.proxy import Proxy

SILENCE_SECONDS = 0.2
MEGABYTE = bytes(range(256)) * 4096


class Echo(BaseRequestHandler):
    """Echoes what it receives, and sends `bye` after the end."""

    def handle(self) -> None:
        with suppress(ConnectionError):
            while heard := self.request.recv(65536):
                self.request.sendall(heard)
            self.request.sendall(b"bye")


class Web(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"fine"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_PUT = do_HEAD = do_GET  # noqa: N815

    def log_message(self, *args: Any) -> None: ...


class Server(ThreadingTCPServer):
    request_queue_size = 1024
    daemon_threads = True

    def handle_error(self, *args: Any) -> None:
        """Ignore broken connections: the tests cause them."""


@contextmanager
def proxied(handler: type[BaseRequestHandler]) -> Iterator[Proxy]:
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with closing(Proxy(server.server_address[1])) as proxy:
            yield proxy
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with proxied(Echo) as proxy:
        yield proxy


@pytest.fixture
def web() -> Iterator[Proxy]:
    with proxied(Web) as proxy:
        yield proxy


@pytest.fixture
def connect() -> Iterator[Callable[[Proxy], socket.socket]]:
    with ExitStack() as stack:

        def connect(proxy: Proxy) -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", proxy.port), 5))

        yield connect


@contextmanager
def one_server() -> Iterator[tuple[Proxy, Callable[[], socket.socket]]]:
    """Return a proxy, and a function that returns the server's end of its next connection."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.settimeout(5)
        proxy = stack.enter_context(closing(Proxy(listener.getsockname()[1])))

        def accept() -> socket.socket:
            end = stack.enter_context(listener.accept()[0])
            end.settimeout(5)
            return end

        yield proxy, accept


def read(end: socket.socket, n_bytes: int) -> bytes:
    """Read so many bytes, or fewer if the other side ends before."""
    got = b""
    while len(got) < n_bytes and (piece := end.recv(min(n_bytes - len(got), 1 << 20))):
        got += piece
    return got


def said(end: socket.socket, text: bytes = b"ping") -> bytes:
    end.sendall(text)
    return read(end, len(text))


def is_silent(end: socket.socket) -> bool:
    """Return True if neither a byte nor an end arrives."""
    end.settimeout(SILENCE_SECONDS)
    try:
        end.recv(1)
    except TimeoutError:
        return True
    finally:
        end.settimeout(5)
    return False


def is_reset(end: socket.socket) -> bool:
    try:
        end.recv(1)
    except ConnectionResetError:
        return True
    return False


def stuff(end: socket.socket, limit: int) -> int:
    """Send zeros until the connection is full. Returns their number."""
    end.settimeout(0.5)
    sent = 0
    with suppress(TimeoutError):
        while sent < limit:
            sent += end.send(bytes(1 << 20))
    return sent


# Connections that work


def test_data_and_its_end_pass_in_both_directions(proxy, connect) -> None:
    client = connect(proxy)
    sender = threading.Thread(target=lambda: (client.sendall(MEGABYTE * 8), client.shutdown(1)))

    sender.start()
    got = read(client, 1 << 30)
    sender.join()

    assert got == MEGABYTE * 8 + b"bye"
    counted = proxy.connections, proxy.bytes_to_server, proxy.bytes_to_client
    assert counted == (1, 8 << 20, (8 << 20) + 3)


def test_a_reader_that_does_not_read_stops_the_writer(connect) -> None:
    with one_server() as (proxy, accept):
        client = connect(proxy)
        server = accept()

        sent = stuff(server, limit=200 << 20)

        assert sent < 60 << 20, "more than the buffers of two connections and our own"
        assert read(client, sent) == bytes(sent)


def test_a_reset_is_passed_on_after_earlier_data(connect) -> None:
    with one_server() as (proxy, accept):
        client = connect(proxy)
        server = accept()
        client.sendall(b"unread by the server: its close is a reset")
        server.recv(1)
        server.sendall(b"too much")

        server.close()

        assert read(client, 8) == b"too much"
        assert is_reset(client)


def test_a_response_arrives_though_its_server_stopped_reading(connect) -> None:
    with one_server() as (proxy, accept):
        client = connect(proxy)
        server = accept()
        client.sendall(b"unread")
        server.recv(1)

        proxy.delay(0.3)
        client.sendall(b"more, which meets a dead server before its answer is due")
        assert is_silent(client)
        server.sendall(b"too much")
        server.close()

        assert read(client, 8) == b"too much"


def test_a_missing_server_is_a_reset(connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]

    with closing(Proxy(port)) as proxy, pytest.raises(ConnectionResetError):
        connect(proxy).recv(1)  # or within connect(), if the proxy is quick


# Connections that break


def test_refuse_resets_open_connections_and_rejects_new_ones(proxy, connect) -> None:
    client = connect(proxy)
    assert said(client) == b"ping"

    proxy.refuse()

    assert is_reset(client)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.pass_on()
    assert said(connect(proxy)) == b"ping"
    assert proxy.connections == 2


def test_the_port_stays_reserved_while_connects_are_refused(proxy) -> None:
    proxy.refuse()

    with socket.socket() as thief, pytest.raises(OSError, match="in use"):
        thief.bind(("127.0.0.1", proxy.port))


def test_freeze_holds_data_and_its_end_until_pass_on(proxy, connect) -> None:
    client = connect(proxy)
    assert said(client) == b"ping"

    proxy.freeze()
    newcomer = connect(proxy)
    for end in (client, newcomer):
        end.sendall(b"held")
        end.shutdown(socket.SHUT_WR)

    assert is_silent(client)
    assert is_silent(newcomer)
    assert proxy.bytes_to_server == len(b"ping")
    proxy.pass_on()
    assert [read(end, 99) for end in (client, newcomer)] == [b"heldbye"] * 2


def test_freeze_during_a_transfer_loses_nothing(proxy, connect) -> None:
    client = connect(proxy)
    sender = threading.Thread(target=client.sendall, args=(MEGABYTE * 16,))
    sender.start()
    begun = read(client, 1 << 20)

    proxy.freeze()
    moved = proxy.bytes_to_client
    begun += read(client, moved - len(begun))  # what the kernel had already buffered
    assert is_silent(client)
    assert proxy.bytes_to_client == moved < 16 << 20
    proxy.pass_on()

    assert begun + read(client, (16 << 20) - len(begun)) == MEGABYTE * 16
    sender.join()


def test_freeze_holds_a_reset_and_what_came_before_it(connect) -> None:
    with one_server() as (proxy, accept):
        client = connect(proxy)
        server = accept()
        client.sendall(b"held")
        assert read(server, 4) == b"held"
        server.sendall(b"unread by the client: its close is a reset")
        client.recv(1)

        proxy.freeze()
        client.sendall(b"last words")
        client.close()

        assert is_silent(server)
        proxy.pass_on()
        assert read(server, 10) == b"last words"
        assert is_reset(server)


def test_blackhole_drops_data_of_open_connections_forever(connect) -> None:
    with one_server() as (proxy, accept):
        before = connect(proxy)
        server = accept()
        before.sendall(b"ping")
        assert read(server, 4) == b"ping"

        proxy.blackhole()
        meanwhile = connect(proxy)
        for end in (before, server, meanwhile):
            end.sendall(b"lost")
        before.shutdown(socket.SHUT_WR)
        proxy.pass_on()
        server.sendall(b"lost as well")

        after = connect(proxy)
        after.sendall(b"ping")
        assert read(accept(), 4) == b"ping", "the next that reached the server was this one"
        assert all(is_silent(end) for end in (before, server, meanwhile))
        assert (proxy.bytes_to_server, proxy.bytes_to_client) == (8, 0)


def test_a_lost_connection_accepts_all_data(proxy, connect) -> None:
    client = connect(proxy)
    proxy.blackhole()

    assert stuff(client, limit=50 << 20) >= 50 << 20


def test_freeze_can_be_followed_by_blackhole(proxy, connect) -> None:
    client = connect(proxy)
    proxy.freeze()
    client.sendall(b"held")

    proxy.blackhole()
    proxy.pass_on()

    assert is_silent(client)
    assert proxy.bytes_to_server == 0


def test_reset_ends_only_open_connections(connect) -> None:
    with one_server() as (proxy, accept):
        client = connect(proxy)
        server = accept()

        proxy.reset()

        assert is_reset(client)
        assert is_reset(server)
        connect(proxy).sendall(b"ping")
        assert read(accept(), 4) == b"ping"


def test_reset_ends_lost_connections_too(proxy, connect) -> None:
    client = connect(proxy)
    proxy.blackhole()

    proxy.reset()

    assert is_reset(client)


# Slow connections


def test_delay_does_not_limit_the_rate(proxy, connect) -> None:
    client = connect(proxy)
    proxy.delay(0.2)

    began = time.monotonic()
    for _ in range(60):
        client.sendall(b"ping")
        time.sleep(0.005)  # separate pieces
    got = read(client, 240)
    took = time.monotonic() - began

    assert got == b"ping" * 60
    assert 0.4 <= took < 8, "not one after the other, which takes 12 s"


def test_pass_on_sends_delayed_data_at_once(proxy, connect) -> None:
    client = connect(proxy)
    proxy.delay(60)
    client.sendall(b"ping")
    assert is_silent(client)

    proxy.pass_on()

    assert read(client, 4) == b"ping"


def test_throttle_is_for_each_connection(proxy, connect) -> None:
    proxy.throttle(400_000)
    clients = [connect(proxy) for _ in range(16)]

    began = time.monotonic()
    for client in clients:
        client.sendall(bytes(200_000))
    for client in clients:
        assert read(client, 200_000) == bytes(200_000)
    took = time.monotonic() - began

    assert 0.4 <= took < 6, "half a second each, not one after the other"


def test_cut_after_resets_in_the_middle_of_a_response(proxy, connect) -> None:
    client, spared = connect(proxy), connect(proxy)
    assert said(client) == b"ping", "what passed before does not count"

    proxy.cut_after(1000, towards="client")
    client.sendall(bytes(3000))

    assert len(read(client, 1000)) == 1000
    assert is_reset(client)
    assert said(spared, bytes(3000)) == bytes(3000)


def test_cut_after_resets_the_given_number_of_connections(connect) -> None:
    with one_server() as (proxy, accept):
        proxy.cut_after(5, towards="server", times=2)
        got = []
        for _ in range(3):
            connect(proxy).sendall(b"123456789")
            server = accept()
            got.append(read(server, 5))
            got.append(b"reset" if is_reset(server) else b"whole")

    assert got == [b"12345", b"reset", b"12345", b"reset", b"12345", b"whole"]


# HTTP


def test_the_seed_determines_the_errors(web) -> None:
    chance = random.Random(7)
    expected = [503 if chance.random() < 0.5 else 200 for _ in range(30)]
    web.answer_errors(0.5, seed=7)

    client = http.client.HTTPConnection("127.0.0.1", web.port, timeout=5)  # reconnects itself
    got = []
    for i in range(30):
        client.request(*([("GET", "/"), ("PUT", "/", MEGABYTE), ("HEAD", "/")][i % 3]))
        with client.getresponse() as answer:
            body = answer.read()
            got.append(answer.status)
        if i % 3 == 0:
            assert body == b"fine" or b"<Code>SlowDown</Code>" in body
    client.close()

    assert got == expected
    assert web.errors_answered == got.count(503)
    assert web.connections <= got.count(503) + 1, "those without an error keep their connection"


def test_a_client_that_still_sends_gets_the_error(web, connect) -> None:
    client = connect(web)
    web.answer_errors(1, seed=1, status=500, code="InternalError")

    client.sendall(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4194304\r\n\r\n")
    client.sendall(MEGABYTE * 4)

    answer = read(client, 1 << 20)
    assert answer.startswith(b"HTTP/1.1 500 InternalError\r\n")
    assert answer.endswith(b"</Error>")
    assert web.bytes_to_server == 0


def test_a_body_that_looks_like_a_request_is_ignored(web, connect) -> None:
    head = b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n"
    client = connect(web)
    client.sendall(head)
    go_on = read(client, 25)

    web.answer_errors(1, seed=1)
    client.sendall(b"GET /abc")

    assert go_on == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert read(client, 12) == b"HTTP/1.1 200"


def test_boto_gets_the_errors_and_succeeds_in_the_end(bucket: Any) -> None:
    with closing(Proxy(urlsplit(settings.S3_ENDPOINT_URL).port)) as proxy:
        with closing(s3_client(proxy, attempts=1)) as impatient:
            proxy.answer_errors(1, seed=1)
            with pytest.raises(ClientError, match="SlowDown"):
                impatient.put_object(Bucket=bucket.bucket_name, Key="proxied", Body=MEGABYTE)
            assert (proxy.errors_answered, proxy.bytes_to_server) == (1, 0)
        with closing(s3_client(proxy, attempts=2)) as patient:
            proxy.answer_errors(0.5, seed=13)  # the first of four: boto waits up to 1 s after it
            patient.put_object(Bucket=bucket.bucket_name, Key="proxied", Body=MEGABYTE)
            head = patient.head_object(Bucket=bucket.bucket_name, Key="proxied")
            got = patient.get_object(Bucket=bucket.bucket_name, Key="proxied")["Body"].read()

    assert head["ContentLength"] == len(MEGABYTE)
    assert got == MEGABYTE
    assert proxy.errors_answered == 2


def s3_client(proxy: Proxy, attempts: int) -> Any:
    options = settings.STORAGES["default"]["OPTIONS"]
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{proxy.port}",
        region_name="us-east-1",
        aws_access_key_id=options["access_key"],
        aws_secret_access_key=options["secret_key"],
        config=Config(
            s3={"addressing_style": "path"},
            retries={"mode": "standard", "total_max_attempts": attempts},
        ),
    )


# Closing


def test_close_ends_all_connections_and_leaves_nothing(proxy, connect) -> None:
    clients = [connect(proxy) for _ in range(150)]
    for client in clients:
        client.sendall(b"ping")
    assert [read(client, 4) for client in clients] == [b"ping"] * 150
    proxy.blackhole()
    clients += [connect(proxy) for _ in range(75)]
    proxy.freeze()
    clients += [connect(proxy) for _ in range(75)]

    proxy.close()
    proxy.close()

    assert all(is_reset(client) for client in clients)
    assert "proxy" not in {thread.name for thread in threading.enumerate()}
    assert proxy.connections == 300
    gc.collect()  # a socket or task left behind is a warning, which fails the test


def test_commands_may_come_from_many_threads(proxy) -> None:
    commands = [proxy.freeze, proxy.refuse, proxy.blackhole, proxy.reset, lambda: proxy.delay(9)]
    threads = [threading.Thread(target=command) for command in commands * 10]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    proxy.pass_on()

    with socket.create_connection(("127.0.0.1", proxy.port), 5) as client:
        assert said(client) == b"ping"
