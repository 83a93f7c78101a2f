"""Scans by a real clamd and by fake ones: which replies are verdicts."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import BuildError, Infected, Interrupted, NotScannable, ScannerUnavailable
from jobs.lib import scanner as scanner
from jobs.lib.scanner import Scan
from tests.clamd import (
    SIGNATURE,
    Behaviour,
    Clamd,
    answers,
    cuts_in,
    cuts_in_and_listens,
    eicar,
    pretender,
)

MB = 1_000_000
FOUND = f"A virus was found in the file: {SIGNATURE}."


def scan(address: str, *chunks: bytes) -> None:
    with Scan(address) as file:
        for chunk in chunks:
            file.feed(chunk)
        file.verdict()


@pytest.fixture(params=["address", "socket_address"])
def address(clamd: Clamd, request: pytest.FixtureRequest) -> str:
    """Over TCP, and over a Unix socket."""
    return str(getattr(clamd, request.param))


@pytest.fixture
def own_clamd(tmp_path: Path) -> Iterator[Clamd]:
    """A clamd that can be frozen and killed."""
    server = Clamd(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def alarms() -> Iterator[Callable[[Callable[..., None], float], None]]:
    """Send signals again and again, as a worker's heartbeat does."""
    before = signal.getsignal(signal.SIGALRM)

    def start(handler: Callable[..., None], every_seconds: float) -> None:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, every_seconds, every_seconds)

    yield start
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [b""],
        [b"hello"],
        [b"hel", b"", b"lo"],
        [bytes(MB)] * 3,
        [eicar()[:-1]],
        [eicar()[1:]],
    ],
    ids=["nothing", "nothing at all", "text", "hole", "3 MB", "no end", "no beginning"],
)
def test_content_without_a_virus_is_clean(address: str, chunks: list[bytes]) -> None:
    scan(address, *chunks)


@pytest.mark.parametrize(
    "chunks",
    [
        [eicar()],
        [b"before" + eicar() + b"after"],
        [eicar()[:1], eicar()[1:]],
        [eicar()[n : n + 1] for n in range(len(eicar()))],
        [b"a" * 99 + eicar()[:30], b"", eicar()[30:] + b"z" * MB],
        [bytes(MB)] * 50 + [eicar()],
    ],
    ids=["alone", "in text", "cut", "byte by byte", "over a border", "after 50 MB"],
)
def test_a_virus_is_found_anywhere(address: str, chunks: list[bytes]) -> None:
    with pytest.raises(Infected, match=f"^{FOUND}$"):
        scan(address, *chunks)


def test_a_file_over_clamds_size_limit_is_not_clean(tmp_path: Path) -> None:
    server = Clamd(tmp_path, max_bytes=2 * MB)
    server.start()
    try:
        for address in (server.address, server.socket_address):
            scan(address, bytes(MB), bytes(MB))
            with pytest.raises(NotScannable):
                scan(address, bytes(MB), bytes(MB), b"1")
            with pytest.raises(NotScannable):
                scan(address, *[bytes(MB)] * 100, eicar())
    finally:
        server.stop()


def test_a_file_over_clamds_scan_limit_is_not_clean(tmp_path: Path) -> None:
    server = Clamd(tmp_path, max_scanned_bytes=MB)
    server.start()
    try:
        with pytest.raises(NotScannable):
            scan(server.address, bytes(2 * MB))
    finally:
        server.stop()


def test_each_connection_scans_one_file(clamd: Clamd) -> None:
    with pytest.raises(Infected):
        scan(clamd.address, eicar())

    scan(clamd.address, b"hello")


@pytest.mark.parametrize(
    "address",
    [
        "tcp://127.0.0.1:1",
        "tcp://nowhere.invalid:3310",
        "unix:///nowhere/clamd.ctl",
        f"unix:///{'long' * 100}",
    ],
    ids=["port", "name", "socket", "long"],
)
def test_an_unavailable_clamd_is_retried_later(address: str) -> None:
    with pytest.raises(ScannerUnavailable) as caught:
        scan(address, b"hello")

    assert caught.value.retryable
    assert caught.value.after_seconds == scanner.RETRY_AFTER_SECONDS
    assert "nowhere" not in str(caught.value)


def test_a_frozen_clamd_times_out_and_works_once_thawed(own_clamd: Clamd, settings: Any) -> None:
    settings.CLAMD_SILENT_SECONDS = 0.3
    own_clamd.freeze()
    began = time.monotonic()

    for chunks in ([b"hello"], [bytes(MB)] * 50):
        with pytest.raises(ScannerUnavailable):
            scan(own_clamd.address, *chunks)

    assert time.monotonic() - began < 30  # and not 130 s
    own_clamd.thaw()
    settings.CLAMD_SILENT_SECONDS = 60
    scan(own_clamd.address, b"hello")


def test_a_clamd_killed_during_a_scan_gives_no_verdict(own_clamd: Clamd) -> None:
    with Scan(own_clamd.address) as file:
        file.feed(bytes(MB))
        own_clamd.kill()

        with pytest.raises(ScannerUnavailable):
            file.verdict()

    own_clamd.start()
    scan(own_clamd.address, b"hello")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"stream: OK\0", None),
        (b"stream: OK", ScannerUnavailable),
        (b"stream: OK\n", ScannerUnavailable),
        (b"stream: OK\0\0", ScannerUnavailable),
        (b"stream: OK\0stream: OK\0", ScannerUnavailable),
        (b"OK\0", ScannerUnavailable),
        (b"\0", ScannerUnavailable),
        (b"", ScannerUnavailable),
        (b"stream: ok\0", ScannerUnavailable),
        (b"stream: \xff OK\0", ScannerUnavailable),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ScannerUnavailable),
        (b"stream: Can't allocate memory ERROR\0", ScannerUnavailable),
        (b"COMMAND READ TIMED OUT\0", ScannerUnavailable),
        (b"x" * MB, ScannerUnavailable),
        (b"INSTREAM size limit exceeded. ERROR\0", NotScannable),
        (b"stream: Heuristics.Limits.Exceeded.MaxScanTime FOUND\0", NotScannable),
        (b"stream: Win.Test FOUND\0", Infected),
    ],
)
def test_other_replies_are_never_clean(answer: bytes, expected: type[BuildError] | None) -> None:
    told = pytest.raises(expected) if expected else nullcontext()

    with pretender(answers(answer)) as address, told:
        scan(address, b"hello")


@pytest.mark.parametrize("behaviour", [cuts_in, cuts_in_and_listens])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", ScannerUnavailable),
        (b"stream: OK\0", ScannerUnavailable),
        (b"INSTREAM size limit exceeded. ERROR\0", NotScannable),
    ],
)
def test_an_ok_before_the_last_byte_is_no_verdict(
    answer: bytes,
    expected: type[BuildError],
    behaviour: Callable[[bytes], Behaviour],
    settings: Any,
) -> None:
    settings.CLAMD_SILENT_SECONDS = 1

    with pretender(behaviour(answer)) as address, pytest.raises(expected):
        scan(address, *[bytes(MB)] * 50)


@pytest.mark.parametrize(
    ("signature", "shown"),
    [
        (b"Win.Trojan.Agent-1/2", "Win.Trojan.Agent-1/2"),
        (b"Mine.UNOFFICIAL", "Mine"),
        (b"<b>\r\n\x1b[1m.exe", "_b_____1m.exe"),
        (b"\xe2\x80\xae" + b"a" * 3000, "_" * 3 + "a" * 97),
    ],
)
def test_signature_names_are_cleaned(signature: bytes, shown: str) -> None:
    answer = b"stream: " + signature + b" FOUND\0"

    with pretender(answers(answer)) as address, pytest.raises(Infected) as caught:
        scan(address, b"hello")

    assert str(caught.value) == f"A virus was found in the file: {shown}."


def test_an_interrupted_attempt_disconnects(
    own_clamd: Clamd, alarms: Callable[[Callable[..., None], float], None]
) -> None:
    def take_away(*_: Any) -> None:
        raise Interrupted(timed_out=False)

    own_clamd.freeze()
    began = time.monotonic()

    with pytest.raises(Interrupted), Scan(own_clamd.address) as file:  # noqa: PT012
        alarms(take_away, 0.1)
        file.verdict()

    assert time.monotonic() - began < 30  # and not 130 s
    assert file._socket.fileno() == -1


def test_a_heartbeat_neither_ends_nor_prolongs_the_wait(
    own_clamd: Clamd, settings: Any, alarms: Callable[[Callable[..., None], float], None]
) -> None:
    beats: list[float] = []
    alarms(lambda *_: beats.append(time.monotonic()), 0.02)
    scan(own_clamd.address, *[os.urandom(MB)] * 5)
    settings.CLAMD_SILENT_SECONDS = 0.5
    own_clamd.freeze()
    settings.CLAMD_SILENT_SECONDS = 0.5
    began = time.monotonic()

    with pytest.raises(ScannerUnavailable):
        scan(own_clamd.address, b"hello")

    assert 0.5 <= time.monotonic() - began < 10  # the alarms go on forever
    assert len(beats) > 10


def test_ping(address: str) -> None:
    scanner.ping_scanner(address)


@pytest.mark.parametrize("answer", [b"", b"PONG", b"PONG?\0", b"-ERR unknown command 'zPING'\r\n"])
def test_another_server_is_not_taken_for_clamd(answer: bytes) -> None:
    with pretender(cuts_in(answer)) as address, pytest.raises(ScannerUnavailable):
        scanner.ping_scanner(address)


def test_the_age_of_clamds_signatures(clamd: Clamd) -> None:
    with pretender(cuts_in(b"ClamAV 1.4.3/27650/Thu May 29 08:33:10 2025\0")) as official:
        made_at = scanner.scanner_signatures_date(official)

    assert made_at
    assert f"{made_at:%Y-%m-%d %H:%M:%S}" == "2025-05-29 08:33:10"
    assert scanner.scanner_signatures_date(clamd.address) is None


def test_only_the_word_off_turns_it_off(settings: Any) -> None:
    for word, is_on in {"off": False, "OFF": True, "": True, "tcp://h:1": True}.items():
        settings.CLAMD = word
        assert scanner.is_scanner_on() is is_on
