"""A new job is recorded in one round trip, as the models would record it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from rest_framework_simplejwt.utils import get_md5_hash_password

from jobs import submission
from jobs import submission_sql as sql
from jobs.models import DownloadJob, JobEvent
from jobs.postgres_text import decode
from jobs.states import Actor, Event
from jobs.submission import submit
from jobs.terms import Terms
from tests.factories import JobFactory, StoredFileFactory, UserFactory

FILES = {"file_ids": [70000]}
MOMENTS = {"available_at", "published_at", "created_at", "updated_at"}


def rows(model: type[Any], **which: Any) -> list[dict[str, Any]]:
    return list(model.objects.filter(**which).order_by("pk").values())


def test_the_columns_are_those_of_the_model() -> None:
    assert list(sql.COLUMNS) == [field.attname for field in DownloadJob._meta.concrete_fields]


@pytest.mark.django_db
def test_the_row_is_the_one_that_the_model_makes(alice: User) -> None:
    """A column that is new in the model, and not in the statement, fails here."""
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
        available_at=tomorrow, **told, **terms,
    )  # fmt: skip
    JobEvent.objects.create(job=made, event=Event.SUBMIT, by=Actor.OWNER, attempt=0)
    DownloadJob.objects.filter(pk=made.pk).update(idempotency_key="other")

    told["key"] = told.pop("idempotency_key")
    job, is_new = submit(owner=alice, name="ä.zip", terms=Terms(run_at=tomorrow, **terms), **told)

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
        job, _ = submit(owner=alice, kind="bundle", params=FILES, terms=terms)

        (row,) = rows(DownloadJob, pk=job.pk)
        assert {name: getattr(job, name) for name in row} == row
        assert job.owner is alice
        assert {row[name] for name in MOMENTS} == {job.created_at}


@pytest.fixture
def libpq(transactional_db: None) -> Iterator[psycopg.pq.PGconn]:
    """A connection of a process that does not use Django's."""
    params = connection.get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold"):
        params.pop(name, None)
    with psycopg.connect(**params, autocommit=True) as one:
        one.execute("SET TimeZone = 'UTC'")
        for statement in (sql.LOCK, sql.SUBMIT):
            result = one.pgconn.prepare(statement.name.encode(), statement.text.encode())
            assert not result.error_message, result.error_message
        yield one.pgconn


def send(pg: psycopg.pq.PGconn, *asked: sql.Submission) -> list[list[bytes | None]]:
    """One pipeline, one Sync; the rows in the order of what was asked."""
    queries = sql.batch(asked)
    pg.enter_pipeline_mode()
    for statement, values, _ in queries:
        encoded = [None if value is None else value.encode() for value in values]
        pg.send_query_prepared(statement.name.encode(), encoded)
    pg.pipeline_sync()
    rows: list[list[bytes | None]] = [[] for _ in asked]
    for _, _, n in queries:
        result = pg.get_result()
        assert result
        assert not result.error_message, result.error_message
        assert pg.get_result() is None
        if n >= 0:
            rows[n] = [result.get_value(0, column) for column in range(result.nfields)]
    assert pg.get_result()  # of the Sync
    pg.exit_pipeline_mode()
    return rows


def test_the_same_statement_by_libpq_records_the_same(
    alice: User, libpq: psycopg.pq.PGconn
) -> None:
    StoredFileFactory(file_id=70000, size_bytes=5)
    terms = Terms(run_at=timezone.now() + timedelta(days=1))
    asked = submission.submission_of(alice.pk, "bundle", FILES, "", terms, key="k")

    ((code, queued, *values),) = send(libpq, asked)

    assert (code, queued) == (b"new", b"0")
    job = DownloadJob.from_db("default", sql.COLUMNS, decode(sql.COLUMNS, values))
    (row,) = rows(DownloadJob)
    assert {name: getattr(job, name) for name in row} == row
    assert send(libpq, asked)[0][:2] == [b"replayed", b"0"]


def test_several_owners_share_a_transaction(libpq: psycopg.pq.PGconn, settings: Any) -> None:
    """The second of one owner's sees the first; each answer is that of its own request."""
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


@pytest.mark.parametrize("change", ["password", "is_active", "nobody"])
def test_who_may_no_more_is_told_from_who_may(
    alice: User, libpq: psycopg.pq.PGconn, change: str
) -> None:
    """A token names the MD5 of a password. Not even a row that is there is shown."""
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
