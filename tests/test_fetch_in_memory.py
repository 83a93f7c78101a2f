"""The memory of a parallel fetch, while connections overtake one another."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from jobs.kinds.remote import ranges
from jobs.kinds.remote.assembly import STORING
from jobs.kinds.remote.parallel import ParallelFetch
from jobs.kinds.remote.ranges import RUN
from jobs.lib.digest import Digest
from jobs.outbound import RemoteFile
from tests.hostile.content import File
from tests.hostile.exchange import Exchange
from tests.hostile.server import Peer

PART = 256 * 1024
FILE = File(size=40 * PART + 3)


@dataclass
class Parts:
    """A store of small parts, which takes `seconds` for each."""

    seconds: float = 0.0
    part_bytes: int = PART
    stored: frozenset[int] = frozenset()
    content: dict[int, bytes] = field(default_factory=dict)
    sha256: str = ""
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, number: int, part: bytes | bytearray) -> None:
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.seconds)
        with self.lock:
            self.at_once -= 1
        assert number not in self.content, "stored twice"
        self.content[number] = bytes(part)

    def finish(self, digest: Digest) -> None:
        self.sha256 = digest.sha256


class Work:
    done = 0
    most_threads = 0

    def advance(self, amount: int, *, threads: int = 0) -> None:
        assert amount >= 0
        self.done += amount
        self.most_threads = max(self.most_threads, threads)


@pytest.fixture
def peer(settings: Any) -> Iterator[Peer]:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = ["127.0.0.1"]
    with Peer() as peer:
        yield peer


@dataclass
class Fetched:
    fetch: ParallelFetch
    parts: Parts
    work: Work
    digest: Digest


def fetched(peer: Peer, file: File, parts: Parts, threads: int = 4) -> Fetched:
    remote = RemoteFile(peer.serve("/file", file), connections=threads)
    first = remote.probe(0, RUN * PART - 1)
    fetch = ParallelFetch(remote, parts, file.size, first.validator, threads=threads)
    work = Work()
    digest = fetch.run(first, work)  # type: ignore[arg-type] # all of a workspace that it uses
    remote.close()
    return Fetched(fetch, parts, work, digest)


def assert_right(result: Fetched, file: File) -> None:
    content = b"".join(part for _, part in sorted(result.parts.content.items()))
    assert hashlib.sha256(content).hexdigest() == file.sha256()
    assert result.digest.sha256 == file.sha256()
    assert result.work.done == file.size


def buffers_of(fetch: ParallelFetch) -> int:
    assembly = fetch._assembly
    return len(assembly._buffers) + len(assembly._spare)


@pytest.mark.parametrize("threads", [1, 4, 16])
def test_memory_is_bounded_however_slow_the_store_is(peer: Peer, threads: int) -> None:
    result = fetched(peer, FILE, Parts(seconds=0.02), threads)

    assert_right(result, FILE)
    assert buffers_of(result.fetch) <= threads * RUN + STORING
    assert result.parts.most_at_once <= STORING


class Stutters:
    """Stops halfway for a while in every third response, and then continues."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, exchange: Exchange) -> None:
        self.asked += 1
        slow = self.asked % 3 == 0
        await exchange.send(
            replace(exchange.honest(), file=replace(exchange.file, rate=100e3 if slow else None))
        )


def test_overtaken_connections_leave_nothing_in_memory(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "MIN_SPLIT_BYTES", 4 * 1024)
    monkeypatch.setattr(ranges, "SILENT_SECONDS", 0.05)

    result = fetched(peer, replace(FILE, misbehave=Stutters()), Parts())

    assert_right(result, FILE)
    assert len(peer.ranges("/file")) > 41 / RUN + 5, "somebody was overtaken"
    assert result.fetch._assembly._buffers == {}
    assert buffers_of(result.fetch) <= 4 * RUN + STORING
