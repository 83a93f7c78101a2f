"""Large multipart forms, read by a real web process while they arrive."""

from __future__ import annotations

import hashlib
import os
import select
import socket
from collections.abc import Iterator

import pytest

from tests.live import Live
from tests.taker.urls import MAX_BYTES
from tests.test_forms import END, TYPE, field, file
from tests.wire import Answer, connect, exchange, read_answer

CONTENT = os.urandom(2_500_000)
FORM = field("a", b"1") + file(CONTENT) + END
TOO_LARGE = file(bytes(MAX_BYTES + 500_000)) + END
HEAD = f"POST /take HTTP/1.1\r\nHost: localhost\r\nContent-Type: {TYPE}\r\n".encode()
CLOSE = b"Connection: close\r\n"
CHUNKED = HEAD + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n"
EXPECT = b"Expect: 100-continue\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST = b"0\r\n\r\n"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One process with four threads: two of them may wait for forms."""
    env = {"DJANGO_SETTINGS_MODULE": "tests.taker.settings"}
    env |= {"WEB_PROCESSES": "1", "WEB_THREADS": "4"}
    live = Live(tmp_path_factory.mktemp("web"), env)
    try:
        live.start("web")
        yield live
    finally:
        live.stop()


def known(body: bytes, *more: bytes) -> bytes:
    return HEAD + b"".join(more) + f"Content-Length: {len(body)}\r\n\r\n".encode()


def chunks(body: bytes, size: int) -> bytes:
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces)


def assert_accepted(answer: Answer, content: bytes = CONTENT) -> None:
    assert answer.status == 200, answer.body
    assert answer.json["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_form_of_known_length_is_accepted(web: Live) -> None:
    assert_accepted(exchange(web.url, known(FORM, CLOSE), FORM))


@pytest.mark.parametrize("size", [700, 65_536, len(FORM)])
def test_a_chunked_form_is_accepted(web: Live, size: int) -> None:
    answer = exchange(web.url, CHUNKED, chunks(FORM, size), LAST)

    assert_accepted(answer)
    assert answer.json["fields"] == {"a": "1"}


@pytest.mark.parametrize("way", ["known", "chunked"])
def test_a_small_form_is_accepted(web: Live, way: str) -> None:
    body = file(b"small") + END
    sent = CHUNKED + chunks(body, 50) + LAST if way == "chunked" else known(body, CLOSE) + body

    assert_accepted(exchange(web.url, sent), b"small")


@pytest.mark.parametrize("way", ["known", "chunked"])
def test_expect_100_continue_is_answered(web: Live, way: str) -> None:
    head = known(FORM, CLOSE, EXPECT) if way == "known" else CHUNKED[:-2] + EXPECT + b"\r\n"
    body = FORM if way == "known" else chunks(FORM, 65_536) + LAST
    with connect(web.url) as line:
        line.sendall(head)

        assert line.recv(1000) == CONTINUE

        line.sendall(body)
        assert_accepted(read_answer(line))


def test_a_refused_client_gets_no_100_continue(web: Live) -> None:
    with connect(web.url) as line:
        line.sendall(HEAD + EXPECT + b"Content-Length: 100000000\r\n\r\n")

        answer = read_answer(line)

    assert (answer.status, answer.json["error"]) == (413, "File too large")
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize("way", ["known", "chunked"])
def test_a_file_that_is_too_large_is_413_while_it_is_sent(web: Live, way: str) -> None:
    if way == "known":
        answer = exchange(web.url, known(TOO_LARGE), TOO_LARGE)
    else:
        answer = exchange(web.url, CHUNKED, *[chunks(TOO_LARGE, 65_536)] * 2)

    assert (answer.status, answer.json["code"]) == (413, "too_large")
    assert answer.json["error"] == "File too large"


BROKEN_OFF = {
    "known length": (known(FORM), FORM[:-1]),
    "known length, whole as a form": (known(FORM + b"more"), FORM),
    "within a chunk": (CHUNKED, chunks(FORM, 65_536)[:1_000_000]),
    "between two chunks": (CHUNKED, chunks(FORM[:100_000], 100_000)),
    "before the last chunk": (CHUNKED, chunks(FORM, 65_536)),
    "within the last chunk": (CHUNKED, chunks(FORM, 65_536) + b"0\r\n"),
}


@pytest.mark.parametrize(("head", "body"), BROKEN_OFF.values(), ids=BROKEN_OFF)
def test_a_disconnect_stores_no_file(web: Live, head: bytes, body: bytes) -> None:
    with connect(web.url) as line:
        line.sendall(head + body)
        line.shutdown(socket.SHUT_WR)

        answer = read_answer(line)

    assert (answer.status, answer.json["code"]) == (400, "parse_error")
    assert "Traceback" not in web.processes[0].log.read_text()


@pytest.mark.parametrize(
    "rest", [b"nonsense\r\n", b"2\r\n{}nonsense", b"0\r\nHost: nonsense\r\n\r\n"]
)
def test_broken_chunks_are_400_once(web: Live, rest: bytes) -> None:
    answer = exchange(web.url, CHUNKED, chunks(FORM[:1_500_000], 65_536) + rest)

    assert (answer.status, answer.json["code"], answer.rest) == (400, "parse_error", b"")
    assert "Traceback" not in web.processes[0].log.read_text()


def test_a_silent_client_is_408_and_uses_at_most_half_of_the_threads(web: Live) -> None:
    with connect(web.url, 30) as silent, connect(web.url, 30) as other, connect(web.url) as third:
        for line in (silent, other, third):
            line.sendall(CHUNKED + chunks(FORM[:100_000], 50_000))

        refused, _, _ = select.select([silent, other, third], [], [], 5)
        answers = [read_answer(line) for line in (silent, other, third)]

    assert len(refused) == 1
    assert sorted(answer.json["code"] for answer in answers) == [
        "overloaded",
        "slow_body",
        "slow_body",
    ]
