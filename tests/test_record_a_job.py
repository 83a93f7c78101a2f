"""A new job is inserted in one round trip, with the same result as by the models."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from rest_framework_simplejwt.utils import get_md5_hash_password

from jobs.engine import quota, submission
from jobs.engine import submission_sql as sql
from jobs.engine.submission import submit_job
from jobs.errors import OwnerBusy, TooManyActive
from jobs.kinds.registry import kind_sources
from jobs.models import DownloadJob, JobEvent, Preferences, StoredFile
from jobs.states import Actor, Event
from jobs.terms import Terms
from tests.factories import ArtifactFactory, JobFactory, StoredFileFactory, UserFactory
from tests.faults.proxy import Proxy

FILES = {"file_ids": [70000]}
MOMENTS = {"available_at", "published_at", "created_at", "updated_at"}


def rows(model: type[Any], **which: Any) -> list[dict[str, Any]]:
    return list(model.objects.filter(**which).order_by("pk").values())


def test_the_columns_are_those_of_the_model() -> None:
    assert list(sql.COLUMNS) == [field.attname for field in DownloadJob._meta.concrete_fields]


@pytest.mark.django_db
def test_the_row_is_the_one_that_the_model_makes(alice: User) -> None:
    """Fails for a new column of the model that is not in the statement."""
    tomorrow = timezone.now() + timedelta(days=1)
    told: dict[str, Any] = {
        "kind": "remote",
        "params": {"url": 'https://example.org/ä\\"\u2028.zip', "threads": 4},
        "request_id": "r-1",
        "idempotency_key": "k-1",
        "request_hash": "h-1",
    }
    terms = {"priority": 7, "email": True, "webhook": "https://hooks.example.org/x"}
    made = DownloadJob.objects.create(
        owner=alice, name="ä.zip", message="Waiting for a worker", run_at=tomorrow,
        available_at=tomorrow, concurrency_key="example.org", **told, **terms,
    )  # fmt: skip
    JobEvent.objects.create(job=made, event=Event.SUBMIT, by=Actor.OWNER, attempt=0)
    DownloadJob.objects.filter(pk=made.pk).update(idempotency_key="other")

    told["key"] = told.pop("idempotency_key")
    job, is_new = submit_job(
        owner=alice, name="ä.zip", terms=Terms(run_at=tomorrow, **terms), **told
    )

    assert is_new
    (model_row,), (row,) = rows(DownloadJob, pk=made.pk), rows(DownloadJob, pk=job.pk)
    differing = {name for name in row if row[name] != model_row[name]}
    assert differing <= {"id", "idempotency_key", *MOMENTS - {"available_at"}}
    (model_line,), (line,) = rows(JobEvent, job=made), rows(JobEvent, job=job)
    assert {name for name in line if line[name] != model_line[name]} <= {"id", "job_id", "at"}


@pytest.mark.django_db
def test_what_is_returned_is_what_is_in_the_table(alice: User) -> None:
    StoredFileFactory(file_id=70000, size_bytes=5)
    other = JobFactory(owner=alice)
    for terms in (Terms(), Terms(after=(other.pk,)), Terms(run_at=timezone.now())):
        job, _ = submit_job(owner=alice, kind="bundle", params=FILES, terms=terms)

        (row,) = rows(DownloadJob, pk=job.pk)
        assert {name: getattr(job, name) for name in row} == row
        assert job.owner is alice
        assert {row[name] for name in MOMENTS} == {job.created_at}


@contextmanager
def prepared() -> Iterator[psycopg.pq.PGconn]:
    """A connection of a process without Django."""
    params = connection.get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold"):
        params.pop(name, None)
    with psycopg.connect(**params, autocommit=True) as one:
        one.execute("SET TimeZone = 'UTC'")
        for statement in (sql.LOCK, sql.SUBMIT):
            result = one.pgconn.prepare(statement.name.encode(), statement.text.encode())
            assert not result.error_message, result.error_message
        yield one.pgconn


@pytest.fixture
def libpq(transactional_db: None) -> Iterator[psycopg.pq.PGconn]:
    with prepared() as pg:
        yield pg


def send(pg: psycopg.pq.PGconn, *asked: sql.Submission) -> list[list[bytes | None]]:
    """Send one pipeline with one Sync. Returns the rows in the order of requests, without ids."""
    pg.enter_pipeline_mode()
    for statement, parameter in sql.submission_batch_sql(asked):
        pg.send_query_prepared(statement.name.encode(), [parameter.encode()])
    pg.pipeline_sync()
    for _ in range(2):
        result = pg.get_result()
        assert result
        assert not result.error_message, result.error_message
        assert pg.get_result() is None
    found = [[result.get_value(row, n) for n in range(result.nfields)] for row in range(len(asked))]
    assert pg.get_result()  # of the Sync
    pg.exit_pipeline_mode()
    assert [row[0] for row in found] == [str(each.job_id).encode() for each in asked]
    return [row[1:] for row in found]


def test_the_same_statement_by_libpq_records_the_same(
    alice: User, libpq: psycopg.pq.PGconn
) -> None:
    StoredFileFactory(file_id=70000, size_bytes=5)
    terms = Terms(run_at=timezone.now() + timedelta(days=1))
    asked = submission.submission_of(alice.pk, "bundle", FILES, "", terms, key="k")

    ((code, queued, *values),) = send(libpq, asked)

    assert (code, queued) == (b"new", b"0")
    row = libpq.exec_(f"SELECT {', '.join(sql.COLUMNS)} FROM jobs_downloadjob".encode())
    assert values == [row.get_value(0, n) for n in range(row.nfields)]
    assert send(libpq, asked)[0][:2] == [b"replayed", None]


def test_several_owners_share_a_transaction(libpq: psycopg.pq.PGconn, settings: Any) -> None:
    """An owner's second request counts the first; each result belongs to its request."""
    settings.MAX_ACTIVE_JOBS = 1
    second, first = UserFactory(), UserFactory()
    asked = [
        submission.submission_of(owner.pk, "bundle", FILES, f"{n}.zip", Terms())
        for n, owner in enumerate([first, second, first])
    ]

    answers = send(libpq, *asked)

    assert [answer[0] for answer in answers] == [b"new", b"new", b"too_many_active"]
    assert [answer[2] for answer in answers[:2]] == [
        str(each.job_id).encode() for each in asked[:2]
    ]
    created = set(DownloadJob.objects.values_list("name", "owner_id"))
    assert created == {("0.zip", first.pk), ("1.zip", second.pk)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT xmin::text) FROM jobs_downloadjob")
        assert cursor.fetchone() == (1,)


def test_the_owners_of_a_batch_are_locked_in_order() -> None:
    """A race hardly ever shows it, as a batch takes all of its locks within microseconds."""
    asked = [
        submission.submission_of(owner_id, "bundle", FILES, "", Terms())
        for owner_id in (300, 20, 1_000, 20)
    ]

    lock, (_, starts) = sql.submission_batch_sql(asked)

    assert lock == (sql.LOCK, "{20,300,1000}")
    assert [each["owner_id"] for each in json.loads(starts)] == [300, 20, 1_000, 20]


@pytest.mark.django_db(transaction=True)
def test_batches_of_the_same_owners_do_not_wait_for_each_other(settings: Any) -> None:
    """Eight connections with owners in random order; each owner's limit is respected."""
    settings.MAX_ACTIVE_JOBS = 20
    owners = [UserFactory().pk for _ in range(6)]

    def start(n: int) -> list[bytes | None]:
        chance, codes = random.Random(n), []
        with prepared() as pg:
            for _ in range(10):
                asked = [
                    submission.submission_of(owner, "bundle", FILES, "", Terms())
                    for owner in chance.sample(owners * 2, 8)
                ]
                codes += [row[0] for row in send(pg, *asked)]
        return codes

    with ThreadPoolExecutor(8) as threads:
        codes = [code for each in threads.map(start, range(8)) for code in each]

    assert len(codes) == 640
    assert codes.count(b"new") == DownloadJob.objects.count() == 20 * len(owners)
    assert set(codes) == {b"new", b"too_many_active"}


@pytest.mark.parametrize("change", ["password", "is_active", "nobody"])
def test_an_owner_without_access_is_refused(
    alice: User, libpq: psycopg.pq.PGconn, change: str
) -> None:
    """A token has the MD5 of a password. Even existing rows are not returned."""
    md5 = get_md5_hash_password(alice.password)
    asked = submission.submission_of(
        alice.pk, "bundle", FILES, "", Terms(), key="k", password_md5=md5
    )
    assert send(libpq, asked)[0][0] == b"new"
    if change == "password":
        alice.set_password("another")
    alice.is_active = change != "is_active"
    alice.save()
    if change == "nobody":
        asked = replace(asked, owner_id=alice.pk + 1_000)

    code, _, *values = send(libpq, asked)[0]

    assert code == b"unknown"
    assert set(values) == {None}
    assert DownloadJob.objects.count() == 1


# Rules that the statement repeats from Python


@pytest.mark.django_db
@pytest.mark.parametrize("most_urgent", [None, 2, 8])
@pytest.mark.parametrize(
    ("address", "is_on"), [("a@example.org", True), ("", True), ("a@b.c", False)]
)
def test_preferences_complete_terms_as_the_model_does(
    alice: User, settings: Any, most_urgent: int | None, address: str, is_on: bool
) -> None:
    settings.MAIL_IS_ON, settings.MAX_PRIORITY = is_on, 3
    open_terms = Terms(priority=None, email=None, webhook=None)
    for is_staff in (False, True):
        alice.email, alice.is_staff = address, is_staff
        alice.save()
        for told in ({}, {"email": True, "webhook": "https://e.org/x", "most_urgent": most_urgent}):
            Preferences.objects.filter(owner=alice).delete()
            if told:
                Preferences.objects.create(owner=alice, **told)
            for terms in (open_terms, replace(open_terms, priority=0), Terms(1, email=False)):
                job, _ = submit_job(owner=alice, kind="bundle", params=FILES, terms=terms)

                found = replace(terms, priority=job.priority, email=job.email, webhook=job.webhook)
                assert found == Preferences.of(alice).complete(terms)


@pytest.mark.django_db
def test_the_sources_are_those_that_the_builder_reads(alice: User, bob: User) -> None:
    soon, past = timezone.now() + timedelta(hours=1), timezone.now() - timedelta(hours=1)
    weights, free = count(), count(20_000)

    def file(**fields: Any) -> StoredFile:
        found: StoredFile = ArtifactFactory(size_bytes=2 ** next(weights), **fields)
        return found

    job = JobFactory(owner=alice, status="failed")
    files = [
        file(owner=owner, made_by=made_by, file_id=file_id, role=role, expires_at=expires_at)
        for owner, made_by in ((None, None), (alice, job), (bob, None))
        for role in ("artifact", "upload", "thumbnail")
        for expires_at in (None, soon, past)
        for file_id in (None, next(free))
    ]
    numbers = [each.file_id for each in files if each.file_id]
    asked: list[tuple[str, dict[str, Any]]] = [
        ("bundle", {"file_ids": numbers}),
        ("bundle", {"file_ids": numbers[:3], "job_ids": [str(job.pk)]}),
        ("bundle", {"file_ids": [], "job_ids": [str(job.pk), str(uuid4())]}),
        *[("upload", {"key": each.key}) for each in files],
    ]
    for kind, params in asked:
        expected = kind_sources(kind, params, alice).bytes()  # weights are powers of two

        made, _ = submit_job(owner=alice, kind=kind, params=params, name="a.zip")

        assert made.total == expected


@pytest.mark.django_db
def test_sources_and_their_jobs_are_kept(alice: User, settings: Any) -> None:
    settings.SOURCE_KEPT_SECONDS = 3600
    soon, later = (timezone.now() + timedelta(hours=hours) for hours in (0.5, 9))
    job = JobFactory(owner=alice, status="completed", expires_at=soon)
    due = ArtifactFactory(owner=alice, made_by=job, file_id=20_000, expires_at=soon)
    kept = ArtifactFactory(owner=alice, file_id=20_001, expires_at=later)
    start = timezone.now() + timedelta(hours=2)

    submit_job(
        owner=alice,
        kind="bundle",
        params={"file_ids": [20_000, 20_001]},
        terms=Terms(run_at=start),
    )

    for row in (job, due, kept):
        row.refresh_from_db()
    assert job.expires_at == due.expires_at == start + timedelta(hours=1)
    assert kept.expires_at == later


@pytest.mark.django_db
def test_a_refused_job_keeps_no_sources(alice: User, settings: Any) -> None:
    settings.MAX_ACTIVE_JOBS = 0
    soon = timezone.now() + timedelta(hours=0.5)
    due = ArtifactFactory(owner=alice, file_id=20_000, expires_at=soon)

    with pytest.raises(TooManyActive):
        submit_job(owner=alice, kind="bundle", params={"file_ids": [20_000]})

    due.refresh_from_db()
    assert due.expires_at == soon


# One round trip


DELAY = 0.5  # each way: much longer than a busy machine takes for a start


@pytest.fixture
def distant_postgres(transactional_db: None, request: pytest.FixtureRequest) -> Iterator[Proxy]:
    """Postgres with a delay."""
    alice: User = request.getfixturevalue("alice")
    proxy = Proxy(int(connection.settings_dict["PORT"]))
    port, connection.settings_dict["PORT"] = connection.settings_dict["PORT"], proxy.port
    connection.close()
    submit_job(owner=alice, kind="bundle", params=FILES)  # connects, and prepares
    try:
        yield proxy
    finally:
        connection.settings_dict["PORT"] = port
        connection.close()
        proxy.close()


def seconds(act: Callable[[], Any]) -> float:
    begin = time.monotonic()
    act()
    return time.monotonic() - begin


def test_a_start_is_one_round_trip(alice: User, distant_postgres: Proxy, broker: Mock) -> None:
    distant_postgres.delay(DELAY)
    look = seconds(lambda: User.objects.get(pk=alice.pk))
    assert look > DELAY

    start = seconds(lambda: submit_job(owner=alice, kind="bundle", params=FILES, key="k"))
    replay = seconds(lambda: submit_job(owner=alice, kind="bundle", params=FILES, key="k"))

    assert max(start, replay) < 1.8 * look
    assert DownloadJob.objects.count() == 2


def test_a_silent_database_ends_a_start(
    alice: User, distant_postgres: Proxy, broker: Mock, settings: Any
) -> None:
    """The next one works."""
    settings.DATABASE_WAIT_SECONDS = 0.3
    distant_postgres.freeze()

    with pytest.raises(OperationalError):
        submit_job(owner=alice, kind="bundle", params=FILES)
    settings.DATABASE_WAIT_SECONDS = 0  # to empty the tables afterwards may take longer
    distant_postgres.reset()  # or what was held would arrive now
    distant_postgres.pass_on()
    connection.close_if_unusable_or_obsolete()

    job, is_new = submit_job(owner=alice, kind="bundle", params=FILES)
    assert is_new
    assert job.events.get().event == Event.SUBMIT
    assert DownloadJob.objects.count() == 2


@pytest.mark.django_db
def test_the_statement_is_planned_once_per_connection(alice: User) -> None:
    """Planning takes longer than execution."""
    for _ in range(3):
        submit_job(owner=alice, kind="bundle", params=FILES)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans > 2, custom_plans FROM pg_prepared_statements"
            " WHERE statement LIKE '%jobs_submit_1%'"
        )
        assert cursor.fetchall() == [(True, 0)]


@pytest.mark.django_db(transaction=True)
def test_a_start_without_the_lock_in_time_is_busy(alice: User, broker: Mock) -> None:
    def start() -> str:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '100ms'")
            with pytest.raises(OwnerBusy):
                submit_job(owner=alice, kind="bundle", params=FILES)
            return str(submit_job(owner=UserFactory(), kind="bundle", params=FILES)[0].status)
        finally:
            connection.close()

    with transaction.atomic(), ThreadPoolExecutor(1) as threads:
        quota.lock_owner_quota(alice)
        status = threads.submit(start).result()

    assert status == "queued"  # others continue on the same connection
    assert DownloadJob.objects.count() == 1


def test_execute_wrappers_of_the_connection_see_the_statements(alice: User, broker: Mock) -> None:
    seen: list[tuple[str, object]] = []

    def wrapper(execute: Callable[..., Any], text: str, *rest: Any) -> Any:
        seen.append((text, rest[-1]["connection"].alias))
        return execute(text, *rest)

    with connection.execute_wrapper(wrapper):
        submit_job(owner=alice, kind="bundle", params={"file_ids": []})

    ((text, alias),) = [each for each in seen if "jobs_submit_1" in each[0]]
    assert "; " in text  # the lock, and the submission
    assert alias == "default"
