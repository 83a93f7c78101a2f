"""A kind of another team that zips files of its own: a subclass of Bundle."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework import serializers

from jobs import storage
from jobs.engine import runner
from jobs.engine.submission import submit_job
from jobs.errors import ArchiveTooLarge, BuildError, NoSources, SourceMissing
from jobs.kinds import Bundle, Source
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob
from jobs.states import Status
from jobs.testing import run, run_job

PDFS = {f"2026/{number}.pdf": b"%PDF " + bytes(number) for number in (1, 2, 3)}
DENY_READING = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject"}


class InvoiceZip(Bundle):
    name = "invoice-zip"
    label = "Invoices"
    bucket = "invoices"

    class Params(serializers.Serializer[Any]):
        months = serializers.ListField(child=serializers.IntegerField())

    def sources(self, params: dict[str, Any], owner: User) -> Iterable[Source]:
        for month in params["months"]:
            yield Source(
                bucket=self.bucket,
                key=f"2026/{month}.pdf",
                name=f"{owner.username}/{month:02}/invoice.pdf",
                label=f"Invoice {month}",
            )

    def default_name(self, params: dict[str, Any]) -> str:
        return f"Invoices of {len(params['months'])} months"


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> InvoiceZip:
    kind = InvoiceZip()
    monkeypatch.setitem(KINDS, kind.name, kind)
    return kind


@pytest.fixture
def invoices(bucket: Any) -> Iterator[str]:
    """Store the PDFs in a bucket of the other team."""
    bucket.client.create_bucket(Bucket="invoices")
    for key, content in PDFS.items():
        bucket.client.put_object(Bucket="invoices", Key=key, Body=content)
    yield "invoices"
    for key in PDFS:
        bucket.client.delete_object(Bucket="invoices", Key=key)
    bucket.client.delete_bucket(Bucket="invoices")


def members(content: bytes) -> dict[str, bytes]:
    with ZipFile(io.BytesIO(content)) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def in_memory(kind: type[InvoiceZip], *, months: list[int]) -> Any:
    stored = {f"invoices/{key}": content for key, content in PDFS.items()}
    return run(kind, owner=User(username="ana"), months=months, sources=stored)


# On the real servers


@pytest.mark.django_db(transaction=True)
def test_the_zip_has_the_files_in_folders(kind: InvoiceZip, invoices: str, alice: User) -> None:
    result = run_job(InvoiceZip, owner=alice, months=[3, 1])

    assert members(result.content) == {
        "alice/03/invoice.pdf": PDFS["2026/3.pdf"],
        "alice/01/invoice.pdf": PDFS["2026/1.pdf"],
    }
    assert result.job.name == "Invoices of 2 months.zip"
    assert result.job.total == len(PDFS["2026/3.pdf"]) + len(PDFS["2026/1.pdf"])
    assert result.job.progress == 1


def failed(alice: User, **request: Any) -> tuple[str, str, int]:
    job = run_job(InvoiceZip, owner=alice, **request).job
    assert job.status == Status.FAILED
    return job.error_code, job.error, job.attempt


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("other", [[9], [1, 9]])
def test_a_missing_file_is_named(
    kind: InvoiceZip, invoices: str, alice: User, other: list[int]
) -> None:
    assert failed(alice, months=other) == ("source_missing", "Invoice 9 could not be found.", 1)


@pytest.mark.django_db(transaction=True)
def test_a_missing_bucket_is_said_so(
    kind: InvoiceZip, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InvoiceZip, "bucket", "no-such-bucket")

    sentence = "Invoice 1 could not be found: its bucket does not exist."
    assert failed(alice, months=[1]) == ("source_missing", sentence, 1)


@pytest.mark.django_db(transaction=True)
def test_a_bucket_that_may_not_be_read_is_said_so(
    kind: InvoiceZip, bucket: Any, invoices: str, alice: User
) -> None:
    resource = {"Resource": f"arn:aws:s3:::{invoices}/*"}
    policy = {"Version": "2012-10-17", "Statement": [DENY_READING | resource]}
    bucket.client.put_bucket_policy(Bucket=invoices, Policy=json.dumps(policy))

    sentence = "Invoice 1 could not be read: the file store denies access to it."
    assert failed(alice, months=[1]) == ("source_missing", sentence, 1)


@pytest.mark.django_db(transaction=True)
def test_without_files_it_fails_and_says_so(kind: InvoiceZip, alice: User) -> None:
    sentence = "There are no files for this request."

    assert failed(alice, months=[]) == ("no_sources", sentence, 1)


@pytest.mark.django_db(transaction=True)
def test_the_total_is_that_of_this_attempt(
    kind: InvoiceZip, invoices: str, alice: User, bucket: Any
) -> None:
    job, _ = submit_job(owner=alice, kind=kind.name, params={"months": [1]})
    DownloadJob.objects.filter(pk=job.pk).update(total=999)  # of an attempt that was lost

    runner.run_job(job.pk, task_id="test", worker="test")

    job.refresh_from_db()
    assert (job.status, job.total) == (Status.COMPLETED, len(PDFS["2026/1.pdf"]))


@pytest.mark.django_db
@pytest.mark.parametrize(("used", "queries"), [("pk", 0), ("username", 1)])
def test_the_owner_is_read_only_if_it_is_used(
    queued_job: DownloadJob, alice: User, used: str, queries: int
) -> None:
    class Own(InvoiceZip):
        def sources(self, params: dict[str, Any], owner: User) -> Iterable[Source]:
            assert isinstance(owner, User)
            assert getattr(owner, used) == getattr(alice, used)
            return [Source(key="a", name="a")]

    job = DownloadJob.objects.get(pk=queued_job.pk)
    with CaptureQueriesContext(connection) as asked:
        Own().load(job)

    assert len(asked) == queries


@pytest.mark.django_db(transaction=True)
def test_the_service_never_writes_to_the_other_bucket(
    kind: InvoiceZip, bucket: Any, invoices: str, alice: User
) -> None:
    result = run_job(InvoiceZip, owner=alice, months=[1])
    storage.delete_object_and_uploads(result.job.artifact.key)  # type: ignore[union-attr]

    listed = bucket.client.list_objects_v2(Bucket=invoices)["Contents"]
    assert [each["Key"] for each in listed] == list(PDFS)


# In memory


def test_a_file_can_be_in_it_twice() -> None:
    result = in_memory(InvoiceZip, months=[1, 1])

    assert list(members(result.content)) == ["ana/01/invoice.pdf", "ana/01/invoice (2).pdf"]
    assert (result.name, result.content_type) == ("Invoices of 2 months.zip", "application/zip")


def test_progress_has_its_total_from_the_first_byte_on() -> None:
    result = in_memory(InvoiceZip, months=[1, 2])

    total = len(PDFS["2026/1.pdf"]) + len(PDFS["2026/2.pdf"])
    assert [total for _, total, _ in result.progress] == [total, total]
    assert result.progress[-1][0] == total


def test_sources_are_not_taken_beyond_the_limit() -> None:
    taken = []

    class Endless(InvoiceZip):
        max_sources = 3

        def sources(self, params: dict[str, Any], owner: User) -> Iterable[Source]:
            while True:
                taken.append(1)
                yield Source(key="a", name="a")

    with pytest.raises(ArchiveTooLarge, match=r"^A zip can have at most 3 files\.$"):
        in_memory(Endless, months=[])
    assert len(taken) == 4


def test_as_many_as_the_limit_are_zipped() -> None:
    class Limited(InvoiceZip):
        max_sources = 3

    assert len(members(in_memory(Limited, months=[1, 2, 3]).content)) == 3


def test_its_own_error_passes() -> None:
    class NotPaid(BuildError):
        code = "source_missing"

    class Refused(InvoiceZip):
        def sources(self, params: dict[str, Any], owner: User) -> Iterable[Source]:
            raise NotPaid("Pay first.")

    with pytest.raises(NotPaid):
        in_memory(Refused, months=[1])


def test_a_row_without_a_file_is_named() -> None:
    class Draft(InvoiceZip):
        def sources(self, params: dict[str, Any], owner: User) -> Iterable[Source]:
            return [Source(key="", name="draft.pdf")]  # an empty FileField

    with pytest.raises(SourceMissing, match=r"^draft.pdf could not be found\.$"):
        in_memory(Draft, months=[1])


def test_a_time_without_a_zone_is_of_the_current_one(settings: Any) -> None:
    settings.TIME_ZONE = "UTC"

    class Dated(InvoiceZip):
        def sources(self, params: dict[str, Any], owner: User) -> Iterable[Source]:
            for source, at in zip(super().sources(params, owner), TIMES, strict=True):
                yield replace(source, made_at=at)

    result = in_memory(Dated, months=[1, 2])

    with ZipFile(io.BytesIO(result.content)) as opened:
        found = {each.date_time for each in opened.infolist()}
    assert found == {(2026, 5, 1, 12, 30, 0)}


TIMES = [datetime(2026, 5, 1, 12, 30), datetime(2026, 5, 1, 12, 30, tzinfo=UTC)]


def test_no_sources_is_never_retried() -> None:
    assert not NoSources("any").retryable
    assert NoSources.code == "no_sources"


def test_its_default_name_is_made_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InvoiceZip, "default_name", lambda self, params: "Q1: all?")

    assert in_memory(InvoiceZip, months=[1]).name == "Q1_ all_.zip"
