"""The first request for a link may be the only one that works: how its response is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs.kinds.remote import parallel
from jobs.kinds.remote.build import link_file_name
from jobs.states import Status
from tests.hostile.content import File, Mode
from tests.hostile.exchange import Exchange, honest
from tests.hostile.honest import part, whole
from tests.hostile.refusals import refuses
from tests.hostile.server import Peer
from tests.links import PART, ask, attempt, fetch, stored_sha256

pytestmark = pytest.mark.django_db(transaction=True)

TWELVE_MB = File(size=12_000_000)
SMALL = File(size=1_000)


@pytest.fixture
def peer(settings: Any, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Peer]:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = ["127.0.0.1"]
    monkeypatch.setattr(parallel, "FIRST_PAUSE_SECONDS", 0.05)
    with Peer() as peer:
        yield peer


def only_plain(refusal: Mode) -> Mode:
    async def mode(exchange: Exchange) -> None:
        has_range = "range" in exchange.request.headers
        await (refusal(exchange) if has_range else exchange.send(whole(exchange.file)))

    return mode


async def once(exchange: Exchange) -> None:
    await (honest(exchange) if exchange.nth == 1 else exchange.page(404, "used up"))


async def hangs_up(exchange: Exchange) -> None:
    exchange.keep_alive = False
    exchange.reset()


def as_one_part(content_range: str) -> Mode:
    """Send 206 to every request, with or without a range."""

    async def mode(exchange: Exchange) -> None:
        reply = part(exchange.file, 0, exchange.file.size - 1)
        await exchange.send(reply.but(content_range=content_range))

    return mode


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 412, 416, 500, 501, 502, 503])
def test_a_refused_range_is_followed_by_a_plain_request(
    peer: Peer, alice: User, status: int
) -> None:
    file = replace(SMALL, misbehave=only_plain(refuses(status)))

    job = attempt(ask(alice, peer.serve("/x", file)))

    assert (job.status, job.failures) == (Status.COMPLETED, 0)
    assert stored_sha256(job) == SMALL.sha256()
    assert len(peer.requests) == 2


def test_a_dropped_range_is_followed_by_a_plain_request(peer: Peer, alice: User) -> None:
    file = replace(SMALL, misbehave=only_plain(hangs_up))

    assert stored_sha256(attempt(ask(alice, peer.serve("/x", file)))) == SMALL.sha256()


def test_after_429_there_is_no_plain_request(peer: Peer, alice: User) -> None:
    job = attempt(ask(alice, peer.serve("/x", replace(SMALL, misbehave=refuses(429)))))

    assert (job.status, job.error_code) == (Status.QUEUED, "remote_unavailable")
    assert len(peer.requests) == 1


def test_a_single_use_redirect_is_followed_once(peer: Peer, alice: User) -> None:
    async def redirects_once(exchange: Exchange) -> None:
        status, place = (302, "/there") if exchange.nth == 1 else (410, None)
        await exchange.page(status, location=place)

    peer.serve("/there", replace(SMALL, misbehave=only_plain(refuses(403))))
    url = peer.serve("/x", File(misbehave=redirects_once))

    assert stored_sha256(attempt(ask(alice, url))) == SMALL.sha256()


@pytest.mark.parametrize("status", [403, 503])
def test_a_server_that_refuses_both_fails_with_its_status(
    peer: Peer, alice: User, status: int
) -> None:
    job = attempt(ask(alice, peer.serve("/x", replace(SMALL, misbehave=refuses(status)))))

    assert str(status) in job.error
    assert len(peer.requests) == 2


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("etag", [None, '"a"'])
def test_a_single_use_link_is_fetched_with_one_request(
    peer: Peer, alice: User, threads: int, etag: str | None
) -> None:
    file = replace(TWELVE_MB, etag=etag, last_modified=None, misbehave=once)

    job = attempt(ask(alice, peer.serve("/x", file), threads=threads))

    assert (job.status, job.failures) == (Status.COMPLETED, 0)
    assert stored_sha256(job) == file.sha256()
    if threads == 1 or not etag:
        assert len(peer.requests) == 1


def test_a_large_single_use_link_is_fetched(peer: Peer, alice: User) -> None:
    file = File(size=9 * PART + 5, rate=20e6, misbehave=once)

    job = attempt(ask(alice, peer.serve("/x", file), threads=4))

    assert (job.status, job.failures) == (Status.COMPLETED, 0)
    assert stored_sha256(job) == file.sha256()


def test_one_connection_is_one_request(peer: Peer, alice: User) -> None:
    file = File(size=5 * PART + 5)

    job = fetch(ask(alice, peer.serve("/x", file), threads=1))

    assert stored_sha256(job) == file.sha256()
    assert [request.headers["range"] for request in peer.requests] == ["bytes=0-"]


@pytest.mark.parametrize(
    "content_range", ["bytes 0-999/1000", "bytes 0-7/*", "bytes 0-999/*", "bytes */1000", ""]
)
def test_an_unrequested_206_of_the_whole_file_is_accepted(
    peer: Peer, alice: User, content_range: str
) -> None:
    job = attempt(
        ask(alice, peer.serve("/x", replace(SMALL, misbehave=as_one_part(content_range))))
    )

    if content_range == "bytes 0-999/1000":
        assert stored_sha256(job) == SMALL.sha256()
    else:
        assert (job.status, job.error_code) == (Status.QUEUED, "remote_unavailable")
        assert "unexpected" not in job.error_code


class Portal:
    """Serve the file to the first request; then a captive portal's page to all others."""

    def __init__(self, **headers: str) -> None:
        self.headers = headers
        self.is_there = True

    async def __call__(self, exchange: Exchange) -> None:
        if exchange.nth == 1 or not self.is_there:
            return await honest(exchange)
        return await exchange.page(
            200, "Please sign in.", content_type="text/plain", **self.headers
        )


@pytest.mark.parametrize("headers", [{}, {"etag": '"portal"'}], ids=["plain", "ETag"])
def test_a_page_in_place_of_a_later_range_loses_no_bytes(
    peer: Peer, alice: User, headers: dict[str, str]
) -> None:
    portal = Portal(**headers)
    file = File(size=8 * PART + 5, rate=50e6)
    job = ask(alice, peer.serve("/x", replace(file, misbehave=portal)), threads=4)

    attempt(job)
    portal.is_there = False
    if not job.is_finished:  # else the first response had all of it
        fetch(job)

    assert stored_sha256(job) == file.sha256()


def test_a_page_in_place_of_the_rest_is_not_stored_as_the_file(peer: Peer, alice: User) -> None:
    portal = Portal()
    file = File(size=8 * PART + 5)
    broken = replace(file, misbehave=cuts_first(at=5 * PART, then=portal))
    job = attempt(ask(alice, peer.serve("/x", broken), threads=1))
    assert job.checkpoint

    later = attempt(job)

    assert (later.status, later.error_code) == (Status.QUEUED, "remote_unavailable")
    portal.is_there = False
    assert stored_sha256(fetch(later)) == file.sha256()
    assert all(request.headers["range"] != "bytes=0-" for request in peer.requests[1:])


def cuts_first(*, at: int, then: Mode) -> Mode:
    """Drop the connection in the first response."""

    async def mode(exchange: Exchange) -> None:
        if exchange.nth > 1:
            return await then(exchange)
        reply = exchange.honest()
        await exchange.head(reply)
        await exchange.body(reply, at)
        exchange.keep_alive = False
        return None

    return mode


@pytest.mark.parametrize(
    "location", ["http:///{host}/x", "///{host}/x", "http:/x", "http:x", "http://?x", "//"]
)
def test_a_redirect_without_a_host_stores_nothing(peer: Peer, alice: User, location: str) -> None:
    place = location.format(host=f"127.0.0.1:{peer.port}")
    for path in ("/x", f"/127.0.0.1:{peer.port}/x", "/a/x", "//"):
        peer.serve(path, SMALL)
    url = peer.serve("/a/b", File(misbehave=refuses(302, location=place)))

    job = attempt(ask(alice, url))

    assert (job.status, job.error_code) == (Status.FAILED, "blocked_redirect")
    assert {request.path for request in peer.requests} == {"/a/b"}


@pytest.mark.parametrize(
    "content_range",
    ["Bytes 0-999/1000", "bytes=0-999/1000", "bytes: 0-999/1000", "bytes  0 - 999 / 1000"],
)
def test_an_unusual_content_range_is_read_in_one_request(
    peer: Peer, alice: User, content_range: str
) -> None:
    async def once_in_part(exchange: Exchange) -> None:
        if exchange.nth > 1:
            return await exchange.page(404, "used up")
        return await as_one_part(content_range)(exchange)

    job = attempt(ask(alice, peer.serve("/x", replace(SMALL, misbehave=once_in_part))))

    assert stored_sha256(job) == SMALL.sha256()


def in_chunks(size: int) -> Mode:
    """Send 206 to every request: Content-Range says all of SMALL, the chunks have `size` bytes."""

    async def mode(exchange: Exchange) -> None:
        reply = part(replace(exchange.file, size=size), 0, size - 1)
        told = reply.but(content_length=None, content_range="bytes 0-999/1000")
        await exchange.head(told.but(transfer_encoding="chunked"))
        await exchange.body(told, chunked=True)
        await exchange.write(b"0\r\n\r\n")

    return mode


@pytest.mark.parametrize("etag", [None, '"a"'])
@pytest.mark.parametrize("threads", [1, 4])
def test_a_chunked_206_of_the_whole_file_is_accepted(
    peer: Peer, alice: User, etag: str | None, threads: int
) -> None:
    file = replace(SMALL, etag=etag, last_modified=None, misbehave=in_chunks(1_000))

    job = attempt(ask(alice, peer.serve("/x", file), threads=threads))

    assert stored_sha256(job) == SMALL.sha256()
    assert len(peer.requests) == 1


@pytest.mark.parametrize("etag", [None, '"a"'])
@pytest.mark.parametrize("size", [999, 1_001])
def test_a_chunked_206_of_another_size_is_not_stored(
    peer: Peer, alice: User, etag: str | None, size: int
) -> None:
    file = replace(SMALL, etag=etag, last_modified=None, misbehave=in_chunks(size))

    job = attempt(ask(alice, peer.serve("/x", file), threads=1))

    assert (job.status, job.error_code) == (Status.QUEUED, "remote_unavailable")


def test_a_300_with_a_location_is_followed(peer: Peer, alice: User) -> None:
    peer.serve("/there", SMALL)
    url = peer.serve("/x", File(misbehave=refuses(300, location="/there")))
    undecided = peer.serve("/y", File(misbehave=refuses(300)))

    assert stored_sha256(attempt(ask(alice, url))) == SMALL.sha256()
    job = attempt(ask(alice, undecided))
    assert (job.status, job.error_code) == (Status.FAILED, "remote_refused")


@pytest.mark.parametrize(
    ("disposition", "is_file"),
    [
        ('attachment; filename="report.pdf"', True),
        ("Attachment;filename*=UTF-8''report.pdf", True),
        ("attachment", True),
        ('inline; filename="report.pdf"', False),
        ('filename="report.pdf"', False),
        ("", False),
    ],
)
def test_an_html_attachment_is_the_file(
    peer: Peer, alice: User, disposition: str, is_file: bool
) -> None:
    """Scripts may send files with the content type of their pages."""
    file = replace(SMALL, content_type="text/html", disposition=disposition or None)

    job = attempt(ask(alice, peer.serve("/report.pdf", file)))

    if is_file:
        assert stored_sha256(job) == SMALL.sha256()
    else:
        assert (job.status, job.error_code) == (Status.FAILED, "remote_not_a_file")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a%20b%C3%A4.txt", "a bä.txt"),
        ("/%E4%F6.txt", "%E4%F6.txt"),
        ("/a%2Fb.txt", "b.txt"),
        ("/%2e%2e", "file"),
        ("/a/", "a"),
        ("/?x=/b.zip", "example.org"),
    ],
)
def test_the_name_is_the_end_of_the_path(path: str, name: str) -> None:
    assert link_file_name(f"https://example.org{path}") == name


def test_an_rfc_2047_name_is_decoded(peer: Peer, alice: User) -> None:
    disposition = 'attachment; filename="=?UTF-8?B?TUVJU0FJLmNzdg==?="'

    job = attempt(ask(alice, peer.serve("/x", replace(SMALL, disposition=disposition))))

    assert job.artifact.name == "MEISAI.csv"
