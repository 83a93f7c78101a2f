"""The stored total of an owner's files is right whatever happens to the files."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from jobs.engine import expiry, quota, sweeps
from jobs.engine.submission import submit_job
from jobs.errors import LimitReached
from jobs.kinds.registry import kind_folder
from jobs.models import DownloadJob, FileQuerySet, StoredFile, Usage
from jobs.states import Status
from tests.factories import ArtifactFactory, JobFactory, StoredFileFactory, UserFactory

LONG_AGO = timezone.now() - timedelta(days=400)


def usage(owner: User) -> int:
    found = Usage.objects.filter(owner=owner).first()
    return found.stored_bytes if found else 0


def sums() -> dict[int, int]:
    owned = StoredFile.objects.exclude(owner=None).order_by().values("owner")
    return dict(owned.annotate(bytes=Sum("size_bytes")).values_list("owner", "bytes"))


def counted() -> dict[int, int]:
    rows = Usage.objects.exclude(stored_bytes=0)
    return dict(rows.values_list("owner", "stored_bytes"))


@pytest.mark.django_db
def test_each_change_of_files_changes_the_sum(alice: User, bob: User) -> None:
    StoredFileFactory(size_bytes=1_000)  # of no owner
    one, two = (ArtifactFactory(owner=alice, size_bytes=size) for size in (300, 40))
    assert (usage(alice), usage(bob)) == (340, 0)

    StoredFile.objects.filter(pk=one.pk).update(size_bytes=310)
    assert usage(alice) == 350
    two.owner = bob
    two.save()
    assert (usage(alice), usage(bob)) == (310, 40)
    StoredFile.objects.filter(pk=two.pk).update(owner=None)
    assert (usage(alice), usage(bob)) == (310, 0)
    StoredFile.objects.all().delete()
    assert (usage(alice), usage(bob)) == (0, 0)


@pytest.mark.django_db
def test_one_statement_can_change_files_of_several_owners(alice: User, bob: User) -> None:
    files = [ArtifactFactory.build(owner=owner, size_bytes=7) for owner in (alice, bob) * 3]
    StoredFile.objects.bulk_create([*files, StoredFileFactory.build(size_bytes=1)])
    assert counted() == {alice.pk: 21, bob.pk: 21}

    StoredFile.objects.update(expires_at=LONG_AGO, size_bytes=8)
    assert counted() == {alice.pk: 24, bob.pk: 24}

    StoredFile.objects.filter(pk__in=[file.pk for file in files[1:]]).delete()
    assert counted() == {alice.pk: 8}


@pytest.mark.django_db(transaction=True)
def test_changes_that_are_rolled_back_do_not_count(alice: User) -> None:
    ArtifactFactory(owner=alice, size_bytes=5)
    with transaction.atomic():
        ArtifactFactory(owner=alice, size_bytes=300)
        StoredFile.objects.filter(size_bytes=5).delete()
        transaction.set_rollback(True)

    assert counted() == sums() == {alice.pk: 5}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_migration_adds_up_existing_files(alice: User, bob: User) -> None:
    call_command("migrate", "jobs", "0008", verbosity=0)
    try:
        with connection.cursor() as cursor:  # the model has columns that the table lacks
            cursor.executemany(
                "INSERT INTO jobs_storedfile (owner_id, key, name, content_type, size_bytes,"
                " sha256, crc32, role) VALUES (%s, %s, '', '', %s, '', 0, 'catalogue')",
                [(alice.pk, "a", 3), (alice.pk, "b", 4), (bob.pk, "c", 5), (None, "d", 6)],
            )
    finally:
        call_command("migrate", verbosity=0)

    assert counted() == {alice.pk: 7, bob.pk: 5}


# Correcting wrong totals


@pytest.fixture
def from_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "_audited", 0)


@pytest.mark.django_db
def test_the_dispatcher_corrects_a_wrong_sum(
    alice: User, bob: User, from_the_beginning: None
) -> None:
    ArtifactFactory(owner=alice, size_bytes=300)
    ArtifactFactory(owner=bob, size_bytes=40)
    Usage.objects.filter(owner=alice).update(stored_bytes=-1)
    Usage.objects.filter(owner=bob).delete()

    assert sweeps.sweep_usage() == 2
    assert counted() == sums() == {alice.pk: 300, bob.pk: 40}
    assert sweeps.sweep_usage() == 0


@pytest.mark.django_db
def test_the_audit_checks_a_few_owners_at_a_time(from_the_beginning: None) -> None:
    for _ in range(5):
        ArtifactFactory(owner=UserFactory(), size_bytes=300)
    UserFactory()  # without files
    Usage.objects.update(stored_bytes=1)

    assert [quota.audit_quotas(2) for _ in range(4)] == [2, 2, 1, 0]
    assert set(Usage.objects.values_list("stored_bytes", flat=True)) == {300}


@pytest.mark.django_db(transaction=True)
def test_the_sum_cannot_change_during_the_audit(
    alice: User, from_the_beginning: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ArtifactFactory(owner=alice, size_bytes=5)
    summed = FileQuerySet.bytes

    def store() -> None:
        try:
            ArtifactFactory(owner=alice, size_bytes=300)
        finally:
            connection.close()

    def slow_sum(files: FileQuerySet) -> int:
        storing.append(threads.submit(store))
        wait(storing, timeout=0.5)  # it cannot finish: it updates the row that the audit holds
        return summed(files)

    monkeypatch.setattr(FileQuerySet, "bytes", slow_sum)
    storing: list[Future[None]] = []
    with ThreadPoolExecutor(1) as threads:
        mended = quota.audit_quotas(10)
        storing[0].result()

    assert mended == 0
    assert counted() == sums() == {alice.pk: 305}


# Concurrency


def at_once(works: list[Callable[[random.Random], Any]]) -> None:
    """Run each on a connection of its own. Raises what one of them raises."""
    gate = Barrier(len(works))

    def run(n: int) -> None:
        try:
            gate.wait()
            works[n](random.Random(n))
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as threads:
        list(threads.map(run, range(len(works))))


@pytest.mark.django_db(transaction=True)
def test_sums_are_correct_after_many_concurrent_changes(settings: Any, broker: Any) -> None:
    """Starts, outcomes, expiries, cancelled uploads and plain changes; no deadlock."""
    settings.OWNER_STORAGE_BYTES, settings.RESULT_KEPT_SECONDS = 20_000, -1
    owners = [UserFactory() for _ in range(4)]

    def settle(chance: random.Random) -> None:
        for _ in range(40):
            job = JobFactory(owner=chance.choice(owners), total=100, status=Status.PROCESSING)
            job.refresh_from_db()
            key, size = f"{kind_folder(job)}1/a.zip", chance.randrange(500)
            made = ArtifactFactory.build(owner=job.owner, made_by=job, key=key, size_bytes=size)
            job.succeed(made)

    def start(chance: random.Random) -> None:
        for _ in range(40):
            with suppress(LimitReached):
                submit_job(owner=chance.choice(owners), kind="bundle", params={"file_ids": [70000]})

    def store_and_delete(chance: random.Random) -> None:
        for _ in range(20):
            some = chance.sample(owners * 2, 5)
            files = [ArtifactFactory.build(owner=owner, key=str(uuid4())) for owner in some]
            StoredFile.objects.bulk_create(files)
            StoredFile.objects.filter(pk=files[0].pk).update(size_bytes=chance.randrange(50))
            StoredFile.objects.filter(pk__in=[file.pk for file in files[1:3]]).delete()

    def expire(_: random.Random) -> None:
        for _ in range(10):
            expiry.expire_artifacts()
            quota.audit_quotas(3)

    at_once([settle, settle, start, start, store_and_delete, store_and_delete, expire, expire])

    assert counted() == sums()
    assert quota.audit_quotas(100) == 0


@pytest.mark.django_db(transaction=True)
def test_two_dispatchers_do_not_wait_for_each_others_owners(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are deleted 100 at a time; a batch of one has owners in another order than the next."""
    monkeypatch.setattr(sweeps, "BATCH", 20)
    jobs = {each: JobFactory(owner=each, kind="upload", status="failed") for each in (alice, bob)}
    for _ in range(5):
        for order in ([alice, bob], [bob, alice]):
            owners = [order[n // 100] for n in range(200)]
            StoredFile.objects.bulk_create(received(jobs[owner]) for owner in owners)

        at_once([lambda _: expiry.expire_uploads()] * 2)

        assert counted() == sums() == {}


def received(job: DownloadJob) -> StoredFile:
    return StoredFile(
        owner=job.owner, made_by=job, role="upload", key=str(uuid4()), size_bytes=5, crc32=0,
        expires_at=LONG_AGO,
    )  # fmt: skip
