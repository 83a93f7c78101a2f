"""Servers that are slow or drop connections behave on the wire as their names say."""

from __future__ import annotations

import sys
import time
import zlib

import pytest

from tests.hostile import breaks
from tests.hostile.content import PERIOD
from tests.hostile.visit import (
    SIZE,
    Visit,
    covered_by,
    covers,
    expected,
    read_exactly,
    read_until_silence,
)


@covers("never-answers", "stalls-after-headers", "stalls-at-60-percent")
def test_it_stalls_with_an_open_connection(visit: Visit, mode: str) -> None:
    body = b"" if mode == "stalls-after-headers" else expected(1000, 600)
    end = b"" if mode == "never-answers" else b"\r\n\r\n" + body

    with visit.open() as connection:
        got = read_until_silence(connection, end)

    assert got.endswith(end)
    assert bool(got) == (mode != "never-answers")


@covers("one-byte-a-second")
def test_it_sends_the_first_byte_after_a_second(visit: Visit, mode: str) -> None:
    with visit.open() as connection:
        began = time.monotonic()
        got = b""
        while len(got.partition(b"\r\n\r\n")[2]) < 1:
            got += connection.recv(1)

        assert time.monotonic() - began >= 1 - 0.01
        assert got.endswith(b"\r\n\r\n" + expected(1000, 1))


@covers("slow-start")
def test_the_response_starts_late(visit: Visit, mode: str) -> None:
    began = time.monotonic()

    answer = visit.ask()

    assert time.monotonic() - began >= 1 - 0.01
    assert answer.body == expected(1000, 1000)


@covers("one-slow-line")
def test_the_second_connection_is_slow(visit: Visit, mode: str) -> None:
    def seconds() -> float:
        began = time.monotonic()
        assert visit.ask("0-9999").body == expected(0, 10_000)
        return time.monotonic() - began

    first, second, *others = [seconds() for _ in range(5)]

    assert second >= 0.49
    assert min(first, *others) < 0.49


@covers("drops-at-60-percent", "drops-after-100-kB", "chunked-cut-off", "length-too-large")
def test_the_connection_closes_too_early(visit: Visit, mode: str) -> None:
    answer = visit.ask("0-199999")

    sent = {"drops-at-60-percent": 120_000, "drops-after-100-kB": 100_000}
    if mode == "chunked-cut-off":
        assert unchunked(answer.body, whole=False) == expected(0, 100_000)
        return
    assert answer.body == expected(0, sent.get(mode, 200_000))
    assert int(answer.headers["Content-Length"]) > len(answer.body)


@covers("drops-after-100-kB")
def test_a_small_enough_range_is_complete(visit: Visit, mode: str) -> None:
    assert visit.ask("0-99999").body == expected(0, 100_000)


@covers("resets-at-60-percent")
def test_the_connection_is_reset(visit: Visit, mode: str) -> None:
    with visit.open() as connection, pytest.raises(ConnectionResetError):
        list(read_exactly(connection, 1_000_000))


@covers("length-too-small")
def test_the_body_is_longer_than_its_length(visit: Visit, mode: str) -> None:
    answer = visit.ask("0-4999")

    assert answer.headers["Content-Length"] == "4000"
    assert answer.body + answer.rest == expected(0, 5000)


@covers("length-enormous")
def test_a_file_of_a_petabyte_has_ranges(visit: Visit, mode: str) -> None:
    far = 5 * 10**14

    answer = visit.ask(f"{far}-{far + 9}")

    assert answer.body == expected(far, 10) == expected(far % PERIOD, 10)
    assert answer.headers["Content-Range"].endswith("/1000000000000000")


@covers("until-it-closes")
def test_the_close_ends_the_body(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert (answer.status, answer.body) == (200, expected(0, SIZE))
    assert "Content-Length" not in answer.headers


@covers("chunked-and-packed", "chunked-with-a-blank", "broken-head")
def test_chunks_with_a_malformed_header(visit: Visit, mode: str) -> None:
    with visit.open() as connection:
        got = b"".join(iter(lambda: connection.recv(65536), b""))

    head, _, body = got.partition(b"\r\n\r\n")
    hidden = {
        "chunked-and-packed": b"Transfer-Encoding: gzip, chunked",
        "chunked-with-a-blank": b"Transfer-Encoding: chunked ",
        "broken-head": b"this is no header",
    }
    assert hidden[mode] in head.split(b"\r\n")
    assert unchunked(body) == expected(0, SIZE)


@covers("chunked")
def test_chunks_have_the_right_bytes(visit: Visit, mode: str) -> None:
    answer = visit.ask(None)

    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert unchunked(answer.body) == expected(0, SIZE)


@covers("endless-body", "endless-headers", "100-MB-of-continue", "100-MB-of-early-hints")
def test_it_sends_endlessly(visit: Visit, mode: str) -> None:
    with visit.open() as connection:
        got = b"".join(read_exactly(connection, 5_000_000))

    begins = {
        "endless-body": b"HTTP/1.1 200 OK\r\n",
        "endless-headers": b"HTTP/1.1 200 OK\r\nX-Header-0: ",
        "100-MB-of-continue": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 ",
        "100-MB-of-early-hints": b"HTTP/1.1 103 Early Hints\r\nLink: ",
    }
    assert got.startswith(begins[mode])
    assert (b"\r\n\r\n" in got) == (mode != "endless-headers")


@covers("100-MB-of-continue")
def test_the_response_follows_100_mb(visit: Visit, mode: str) -> None:
    with visit.open() as connection:
        for _ in read_exactly(connection, 100_000_000):
            pass
        assert connection.makefile("rb").readline() == b"HTTP/1.1 206 Partial Content\r\n"


@covers("long-header")
def test_a_header_has_a_megabyte(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert answer.headers["X-Long"] == "a" * 1_000_000
    assert answer.body == expected(1000, 1000)


@pytest.mark.slow
@covers("gzip-bomb")
def test_a_megabyte_decompresses_to_a_gigabyte(visit: Visit, mode: str) -> None:
    answer = visit.ask(None, Accept_Encoding="identity")

    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.body) < 2_000_000
    assert unpacked_size(answer.body) == breaks.BOMB_BYTES


@covers("gzip-label")
def test_an_uncompressed_file_is_labelled_gzip(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert (answer.status, answer.body) == (206, expected(1000, 1000))
    assert answer.headers["Content-Encoding"] == "gzip"


@covers("garbage", "bare-body")
def test_it_sends_something_else_than_http(visit: Visit, mode: str) -> None:
    with visit.open() as connection:
        got = b"".join(read_exactly(connection, 100_000))

    assert not got.startswith(b"HTTP/")
    assert (got == expected(0, 100_000)) == (mode == "bare-body")


def test_every_mode_is_covered() -> None:
    assert covered_by(sys.modules[__name__]) == set(breaks.MODES)


def unchunked(body: bytes, *, whole: bool = True) -> bytes:
    """The chunks that are complete; whole: and they end as they should."""
    found = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        n = int(size, 16)
        if len(rest) < n + 2:
            assert not whole
            return found
        found += rest[:n]
        body = rest[n + 2 :]
        if n == 0:
            assert body == b""
            return found
    raise AssertionError("no last chunk")


def unpacked_size(packed: bytes) -> int:
    """Also checks that it is a valid gzip of one member, without a gigabyte in memory."""
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
    size = 0
    while not inflate.eof:
        size += len(inflate.decompress(packed, 1 << 24))
        packed = inflate.unconsumed_tail
    assert not inflate.unused_data
    return size
