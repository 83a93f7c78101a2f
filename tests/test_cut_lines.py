"""Connections aborted while they are read: no data is misread, and none of them stays open."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs.errors import RemoteUnavailable
from jobs.outbound import RemoteFile, RemoteResponse, connection_pools
from jobs.states import Status
from tests.hostile.content import File, Mode, content
from tests.hostile.exchange import Exchange
from tests.hostile.honest import whole
from tests.hostile.modes import MODES
from tests.hostile.server import Peer
from tests.links import ask, attempt
from tests.live import until

FILE = File(size=4_000_000)
NOBODY_CERTIFIED = "AECDH-AES256-SHA:@SECLEVEL=0"  # TLS without server names


@pytest.fixture(autouse=True)
def peers_are_allowed(settings: Any) -> None:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = ["127.0.0.1"]


@pytest.fixture
def tls_peer() -> Iterator[Peer]:
    """A server with TLS and a self-signed certificate, which is not verified."""
    ours, theirs = connection_pools._tls_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.check_hostname, ours.verify_mode = False, ssl.CERT_NONE
    for context in (ours, theirs):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(NOBODY_CERTIFIED)
    try:
        with Peer(tls=theirs) as peer:
            yield peer
    finally:
        connection_pools._tls_context.cache_clear()


def rest_of(answer: RemoteResponse) -> bytes:
    """Read until the body ends or the connection breaks."""
    read = b""
    try:
        while chunk := answer.read():
            read += chunk
    except RemoteUnavailable:
        pass
    return read


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_an_aborted_tls_connection_never_returns_encrypted_data(tls_peer: Peer) -> None:
    remote = RemoteFile(tls_peer.serve("/file", FILE), connections=1)
    answer = remote.probe(0, FILE.size - 1)
    read = answer.read()

    answer.abort()
    read += rest_of(answer)

    assert read == content(FILE.seed, 0, len(read))
    answer.close()


def ends(framing: bytes, *, with_goodbye: bool) -> Mode:
    async def mode(exchange: Exchange) -> None:
        exchange.keep_alive = False
        await exchange.write(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n" + content(1, 0, 1_000))
        if not with_goodbye:
            exchange.abort()

    return mode


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_a_tls_connection_without_close_notify_does_not_end_a_file(tls_peer: Peer) -> None:
    whole = tls_peer.serve("/whole", File(misbehave=ends(b"", with_goodbye=True)))
    cut = tls_peer.serve("/cut", File(misbehave=ends(b"", with_goodbye=False)))
    length = b"Content-Length: 1000\r\n"
    known = tls_peer.serve("/known", File(misbehave=ends(length, with_goodbye=False)))

    for url in (whole, known):
        answer = RemoteFile(url, connections=1).whole()
        assert b"".join(iter(answer.read, b"")) == content(1, 0, 1_000)
    answer = RemoteFile(cut, connections=1).whole()
    with pytest.raises(RemoteUnavailable, match="closed the connection"):
        b"".join(iter(answer.read, b""))


def test_a_completed_response_can_be_aborted() -> None:
    with Peer() as peer:
        answer = RemoteFile(peer.serve("/file", FILE), connections=1).probe(0, FILE.size - 1)
        assert len(rest_of(answer)) == FILE.size

        answer.abort()

        answer.close()


async def interim_answers(exchange: Exchange) -> None:
    """Send interim responses for ever, without a pause."""
    while True:
        await exchange.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(0.05)


async def interim_answers_to_ranges(exchange: Exchange) -> None:
    if exchange.nth == 1:
        return await exchange.send(exchange.honest())
    return await interim_answers(exchange)


async def chunks_and_trailers(exchange: Exchange) -> None:
    """Send the file, and then trailers for ever."""
    # Not for a range, which is complete with its last byte.
    reply = whole(exchange.file).but(content_length=None, transfer_encoding="chunked")
    await exchange.head(reply)
    await exchange.body(reply, chunked=True)
    await exchange.write(b"0\r\n")
    while True:
        await exchange.write(b"X-More: of it\r\n")
        await asyncio.sleep(0.05)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("file", "outcome"),
    [
        (File(size=100, misbehave=interim_answers), "remote_too_slow"),
        # The first connection gets everything, whatever happens to the others.
        (File(size=20_000_000, misbehave=interim_answers_to_ranges), ""),
        (File(size=100, misbehave=chunks_and_trailers), "remote_too_slow"),
        (MODES["endless-body"], "remote_too_large"),
    ],
    ids=["interim", "interim-in-ranges", "trailers", "endless-body"],
)
def test_a_fetch_leaves_no_connections_and_threads(
    file: File, outcome: str, alice: User, bucket: Any, settings: Any
) -> None:
    settings.REMOTE_SLOW_SECONDS = 1
    settings.REMOTE_MAX_BYTES = 25_000_000
    before = set(threading.enumerate())
    with Peer() as peer:
        job = attempt(ask(alice, peer.serve("/file", file)))

        assert job.error_code == outcome
        assert outcome or job.status == Status.COMPLETED
        until(lambda: not peer.open_now, 5)
        until(lambda: not ours(before), 5)


def ours(before: set[threading.Thread]) -> list[threading.Thread]:
    new = set(threading.enumerate()) - before
    return [each for each in new if each.name in ("ask", "fetch", "reader")]
