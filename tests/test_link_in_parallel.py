"""Parallel fetches: the requests to the server, and what a later attempt resumes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.utils import timezone

from jobs import storage
from jobs.engine import runner
from jobs.engine.submission import submit_job
from jobs.kinds.registry import kind_folder
from jobs.kinds.remote import parallel
from jobs.kinds.remote.ranges import RUN
from jobs.models import DownloadJob, IncomingUpload, StoredFile
from jobs.states import Actor, Status
from tests.hostile.content import File
from tests.hostile.exchange import Exchange
from tests.hostile.honest import honest_reply, whole
from tests.hostile.modes import MODES
from tests.hostile.rebinding import rebinding
from tests.hostile.refusals import refuses
from tests.hostile.server import Peer
from tests.links import PART, ask, attempt, fetch, left_behind, stored_sha256
from tests.live import until

pytestmark = pytest.mark.django_db(transaction=True)

BIG = File(size=16 * PART + 1)


@pytest.fixture
def peer(settings: Any, bucket: Any) -> Iterator[Peer]:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = ["127.0.0.1"]
    with Peer() as peer:
        yield peer


def test_connections_are_reused(peer: Peer, alice: User) -> None:
    job = fetch(ask(alice, peer.serve("/big", replace(BIG, rate=20e6)), threads=3))

    assert stored_sha256(job) == BIG.sha256()
    assert peer.most_at_once("/big") in (3, 4), "it hears late that an overtaken one is over"
    whole = [count for _, count in peer.sent_ranges("/big") if count >= RUN * PART]
    assert len(whole) >= 3, "in one piece, before the others help the slowest"
    assert peer.connections < len(peer.ranges("/big"))
    spans = sorted(peer.sent_ranges("/big"))
    assert spans[0][0] == 0


def test_every_range_but_the_first_names_the_version(peer: Peer, alice: User) -> None:
    fetch(ask(alice, peer.serve("/big", BIG)))

    first, *others = [request.headers for request in peer.requests]
    assert first["range"] == "bytes=0-", "a link may be good for one request"
    assert "if-range" not in first
    assert {each["if-range"] for each in others} == {BIG.facts()["ETag"]}
    assert {each["accept-encoding"] for each in (first, *others)} == {"identity"}
    assert not any("cookie" in each or "authorization" in each for each in (first, *others))


def test_one_thread_is_one_connection(peer: Peer, alice: User) -> None:
    job = fetch(ask(alice, peer.serve("/big", BIG), threads=1))

    assert stored_sha256(job) == BIG.sha256()
    assert (peer.connections, peer.most_at_once("/big")) == (1, 1)


def test_a_small_file_is_one_request(peer: Peer, alice: User) -> None:
    job = fetch(ask(alice, peer.serve("/small", File(size=100_000)), threads=16))

    assert (job.status, len(peer.requests)) == (Status.COMPLETED, 1)


class Gone:
    """Serves a number of ranges, and is then unavailable until `back`."""

    def __init__(self, after: int) -> None:
        self.left = after

    async def __call__(self, exchange: Exchange) -> None:
        self.left -= 1
        if self.left >= 0:
            await exchange.send(exchange.honest())
        else:
            exchange.keep_alive = False
            exchange.reset()


async def two_servers(exchange: Exchange) -> None:
    """Two servers behind one name, with the same file but different validators."""
    other = replace(exchange.file, etag=f'"{exchange.nth_connection % 2}"')
    await exchange.send(honest_reply(other, exchange.request))


def test_a_file_with_changing_validators_is_fetched_in_one_request(peer: Peer, alice: User) -> None:
    job = fetch(ask(alice, peer.serve("/big", replace(BIG, misbehave=two_servers))))

    assert stored_sha256(job) == BIG.sha256()
    assert job.attempt == 2
    assert "range" not in peer.requests[-1].headers


def test_an_error_page_midway_loses_no_parts(peer: Peer, alice: User, short_delays: None) -> None:
    midway = MODES["error-page-midway"]
    job = attempt(ask(alice, peer.serve("/big", replace(midway, size=BIG.size))))
    assert job.error_code == "remote_unavailable"
    there = parts_of(job)
    before = len(peer.ranges("/big"))
    peer.serve("/big", BIG)

    fetch(job)

    assert stored_sha256(job) == BIG.sha256()
    assert there
    assert {first // PART for first, _ in peer.ranges("/big")[before:]}.isdisjoint(there)


@pytest.fixture
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "FIRST_PAUSE_SECONDS", 0.01)


@pytest.fixture
def half_done(peer: Peer, alice: User, short_delays: None) -> DownloadJob:
    """Return a job with some parts stored whose server is unavailable."""
    job = ask(alice, peer.serve("/big", replace(BIG, misbehave=Gone(after=6))))
    assert attempt(job).error_code == "remote_unavailable"
    return job


def parts_of(job: DownloadJob) -> set[int]:
    return set(storage.S3Parts.resumed(job.checkpoint).stored)


def test_the_next_attempt_resumes(peer: Peer, half_done: DownloadJob) -> None:
    there = parts_of(half_done)
    assert there
    before = len(peer.ranges("/big"))
    peer.serve("/big", BIG)

    fetch(half_done)

    asked = peer.ranges("/big")[before:]
    assert stored_sha256(half_done) == BIG.sha256()
    assert {first // PART for first, _ in asked}.isdisjoint(there)
    assert half_done.progress == 1
    assert half_done.artifact.key == f"results/{half_done.pk}/1/big", "of the first attempt"


def test_another_version_is_fetched_from_its_start(peer: Peer, half_done: DownloadJob) -> None:
    newer = BIG.successor()
    peer.serve("/big", newer)

    fetch(half_done)

    assert stored_sha256(half_done) == newer.sha256()


def test_an_unrecorded_object_is_not_fetched_again(
    peer: Peer, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def power_goes(self: DownloadJob, artifact: StoredFile, **said: Any) -> None:
        raise SystemExit

    job = ask(alice, peer.serve("/big", BIG))
    with monkeypatch.context() as patched:
        patched.setattr(DownloadJob, "succeed", power_goes)
        with pytest.raises(SystemExit):
            attempt(job)
    before = peer.sent("/big")

    fetch(job)

    assert stored_sha256(job) == BIG.sha256()
    assert peer.sent("/big") - before == 1, "to see that it is still the same version"
    assert job.artifact.key == f"results/{job.pk}/1/big"


def test_collected_parts_are_fetched_again(peer: Peer, half_done: DownloadJob) -> None:
    storage.delete_all_objects_but([], prefix=kind_folder(half_done))
    peer.serve("/big", BIG)

    fetch(half_done)

    assert stored_sha256(half_done) == BIG.sha256()


def test_a_failed_fetch_leaves_nothing(half_done: DownloadJob) -> None:
    fetch(half_done)  # the server stays unavailable

    assert half_done.status == Status.FAILED
    assert left_behind(half_done) == []


def test_a_cancelled_fetch_stops_and_leaves_nothing(peer: Peer, alice: User) -> None:
    job = ask(alice, peer.serve("/big", replace(BIG, rate=1e6)))

    def cancel() -> None:
        until(lambda: peer.open_now == 4)  # when the upload has begun
        DownloadJob.objects.get(pk=job.pk).cancel(Actor.OWNER)
        connection.close()

    threading.Thread(target=cancel).start()
    runner.run_job(job.pk, task_id="task-1", worker="worker@test")

    job.refresh_from_db()
    assert job.status == Status.CANCELLED
    assert left_behind(job) == []
    until(lambda: not peer.open_now, 10)


def test_speed_and_connections_are_shown_during_a_fetch(peer: Peer, alice: User) -> None:
    job = ask(alice, peer.serve("/big", replace(BIG, rate=5e6)), threads=4)
    thread = threading.Thread(target=seen, args=[job, sightings := []])
    thread.start()

    fetch(job)

    thread.join()
    running = [each for each in sightings if each["threads"] == 4]
    assert running
    assert all(0 < each["speed"] < 25e6 and each["total"] == BIG.size for each in running[1:])


def seen(job: DownloadJob, sightings: list[dict[str, Any]]) -> None:
    row = DownloadJob.objects.filter(pk=job.pk)

    def look() -> bool:
        sightings.append(row.values("threads", "speed", "done", "total", "status").get())
        return sightings[-1]["status"] == Status.COMPLETED

    try:
        until(look, 60)
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("served", "output", "disposition", "name"),
    [
        ("/a/report%20one.pdf?key=1", "", None, "report one.pdf"),
        ("/a/x", "", 'attachment; filename="two.pdf"', "two.pdf"),
        ("/a/x", "", "attachment; filename*=UTF-8''na%C3%AFve.pdf", "naïve.pdf"),
        ("/a/x", "", 'attachment; filename="../../etc/passwd"', "passwd"),
        ("/a/x", "three.pdf", 'attachment; filename="two.pdf"', "three.pdf"),
        ("/", "", None, "127.0.0.1"),
        ("/a/x", "", "attachment; filename*=nonsense''%ff", "x"),
    ],
)
def test_the_name_is_the_owners_or_the_servers_or_the_links(
    peer: Peer, alice: User, served: str, output: str, disposition: str | None, name: str
) -> None:
    path = served.partition("?")[0]
    peer.serve(path, File(size=10, disposition=disposition, content_type="application/pdf"))
    params = {"output": output} if output else {}

    job = fetch(ask(alice, peer.url + served, **params))

    assert (job.name, job.artifact.name) == (name, name)
    assert job.artifact.content_type == "application/pdf"


def test_the_expected_hash_is_checked(peer: Peer, alice: User) -> None:
    url = peer.serve("/big", BIG)

    right = fetch(ask(alice, url, sha256=BIG.sha256()))
    wrong = fetch(ask(alice, url, sha256="0" * 64))

    assert right.status == Status.COMPLETED
    assert (wrong.status, wrong.error_code) == (Status.FAILED, "checksum_mismatch")
    assert left_behind(wrong) == []


def test_too_large_is_known_before_it_is_fetched(peer: Peer, alice: User, settings: Any) -> None:
    settings.REMOTE_MAX_BYTES = BIG.size - 1

    job = fetch(ask(alice, peer.serve("/big", BIG)))

    assert (job.status, job.error_code) == (Status.FAILED, "remote_too_large")
    assert len(peer.requests) == 1


def test_a_file_over_the_owners_storage_is_not_fetched(
    peer: Peer, alice: User, settings: Any
) -> None:
    settings.OWNER_STORAGE_BYTES = BIG.size - 1

    job = fetch(ask(alice, peer.serve("/big", BIG)))

    assert (job.status, job.error_code) == (Status.FAILED, "storage_full")
    assert len(peer.requests) == 1


def test_a_link_does_not_use_storage_reserved_by_an_upload(
    peer: Peer, alice: User, settings: Any
) -> None:
    settings.OWNER_STORAGE_BYTES = 2_000_000
    url = peer.serve("/1000000", replace(MODES["chunked"], size=1_000_000))
    job = ask(alice, url)
    IncomingUpload.objects.create(owner=alice, name="a.bin", size_bytes=1_500_000)

    job = fetch(job)

    assert (job.status, job.error_code) == (Status.FAILED, "storage_full")


def test_a_file_of_unknown_size_must_fit_too(peer: Peer, alice: User, settings: Any) -> None:
    settings.OWNER_STORAGE_BYTES = 2_000_000
    urls = [
        peer.serve(f"/{size}", replace(MODES["chunked"], size=size))
        for size in (1_000_000, 3_000_000)
    ]

    small, large = (fetch(ask(alice, url)) for url in urls)

    assert (small.status, small.done, small.total) == (Status.COMPLETED, 1_000_000, 1_000_000)
    assert (large.status, large.error_code) == (Status.FAILED, "storage_full")
    assert left_behind(large) == []


def test_an_impossible_date_is_no_validator(peer: Peer, alice: User) -> None:
    async def far_away(exchange: Exchange) -> None:
        never = "Dec 99999999999999999999 1 12:26:40"
        await exchange.send(exchange.honest().but(etag=None, last_modified=never))

    job = fetch(ask(alice, peer.serve("/big", replace(BIG, misbehave=far_away))))

    assert (stored_sha256(job), job.failures) == (BIG.sha256(), 0)


def test_a_path_that_looks_like_a_host_is_fetched(peer: Peer, alice: User) -> None:
    peer.serve("//a%3Ab/c", File(size=10))

    assert fetch(ask(alice, f"{peer.url}//a:b/c")).status == Status.COMPLETED


def test_a_short_database_outage_costs_no_attempt(
    peer: Peer, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, lost = DownloadJob.record, []

    def cut_once(self: DownloadJob, **found: Any) -> None:
        if not lost:
            lost.append(found)
            raise OperationalError("the connection broke")
        record(self, **found)

    monkeypatch.setattr(DownloadJob, "record", cut_once)
    job = fetch(ask(alice, peer.serve("/x", File(size=10))))

    assert lost
    assert (job.status, job.failures) == (Status.COMPLETED, 0)


def test_progress_stays_within_the_file_after_a_restart(peer: Peer, alice: User) -> None:
    slow = replace(BIG, rate=8e6, misbehave=Turncoat(after=3))
    job = ask(alice, peer.serve("/big", slow), threads=2)
    thread = threading.Thread(target=seen, args=[job, sightings := []])
    thread.start()

    fetch(job)

    thread.join()
    done = [each["done"] for each in sightings]
    assert stored_sha256(job) == BIG.sha256()
    assert job.attempt == 1
    assert done == sorted(done)
    assert max(done) <= BIG.size


class Turncoat:
    """Supports ranges for a number of requests, and then no longer."""

    def __init__(self, after: int) -> None:
        self.left = after

    async def __call__(self, exchange: Exchange) -> None:
        self.left -= 1
        await exchange.send(exchange.honest() if self.left >= 0 else whole(exchange.file))


def test_a_fetched_file_has_a_unique_file_id(peer: Peer, alice: User) -> None:
    files = [fetch(ask(alice, peer.serve(f"/{n}", File(size=10)))).artifact for n in range(2)]

    first, second = (file.file_id for file in files)
    assert (first >= 1_000_000, second) == (True, first + 1)


def test_a_fetched_file_is_kept_for_its_bundle(peer: Peer, alice: User) -> None:
    job = fetch(ask(alice, peer.serve("/small", File(size=1_000))))
    soon = timezone.now() + timedelta(minutes=1)
    DownloadJob.objects.filter(pk=job.pk).update(expires_at=soon)
    StoredFile.objects.filter(pk=job.artifact.pk).update(expires_at=soon)

    params = {"file_ids": [job.artifact.file_id]}
    bundle, _ = submit_job(owner=alice, kind="bundle", params=params)

    assert bundle.total == 1_000
    job.refresh_from_db()
    job.artifact.refresh_from_db()
    assert min(job.expires_at, job.artifact.expires_at) > soon + timedelta(hours=23)


def test_no_proxy_of_the_environment_is_used(
    peer: Peer, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert fetch(ask(alice, peer.serve("/x", File(size=10)))).status == Status.COMPLETED


def test_dns_rebinding_has_no_effect(
    peer: Peer, alice: User, settings: Any, short_delays: None
) -> None:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = []
    settings.REMOTE_PORTS = [peer.port]
    with rebinding("rebound.example", first="192.0.2.1", then="127.0.0.1") as name:
        job = fetch(ask(alice, f"http://rebound.example:{peer.port}/x"))

    assert job.status == Status.FAILED
    assert peer.requests == []
    assert name.calls == job.attempt


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.1"])
def test_private_addresses_are_refused_by_the_worker_too(
    peer: Peer, alice: User, settings: Any, host: str
) -> None:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = []
    settings.REMOTE_PORTS = [peer.port]

    job = fetch(ask(alice, f"http://{host}:{peer.port}/x"))

    assert (job.status, job.error_code, job.attempt) == (Status.FAILED, "blocked_address", 1)
    assert peer.requests == []


@pytest.mark.parametrize(("told", "seconds"), [("120", 120), ("86400", 300), ("soon", 1)])
def test_retry_after_is_respected(peer: Peer, alice: User, told: str, seconds: int) -> None:
    """At most five minutes, and at least the first delay."""
    job = attempt(ask(alice, peer.serve("/x", File(misbehave=refuses(503, retry_after=told)))))

    rest = job.available_at - job.events.latest("id").at
    assert (job.status, job.error_code) == (Status.QUEUED, "remote_unavailable")
    assert rest.total_seconds() == pytest.approx(seconds, abs=0.5)
