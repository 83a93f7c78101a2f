"""Objects of a bucket become files: `POST /v1/files` and `manage.py register`."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.db import connection
from rest_framework.test import APIClient

from jobs import storage
from jobs.engine.runner import run_job
from jobs.errors import BucketMissing, Interrupted
from jobs.kinds.register import build
from jobs.kinds.register.kind import Register
from jobs.models import DownloadJob, StoredFile
from jobs.operations.checks.buckets import check_bucket_names
from jobs.storage.object_requests import ObjectRequests
from jobs.testing import run
from tests.factories import StoredFileFactory

MEDIA = "media-of-register"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def media(bucket: Any, settings: Any) -> Iterator[ObjectRequests]:
    """Return the objects of another bucket, which is empty."""
    settings.BUCKETS = [MEDIA]
    bucket.client.create_bucket(Bucket=MEDIA)
    yield bucket.objects_in(MEDIA)
    empty(bucket, MEDIA)
    bucket.client.delete_bucket(Bucket=MEDIA)


def empty(bucket: Any, name: str, prefix: str = "") -> None:
    for page in storage.list_object_pages(prefix, bucket_name=name):
        for found in page:
            bucket.client.delete_object(Bucket=name, Key=found.key)


def put(media: ObjectRequests, **contents: bytes) -> None:
    for name, content in contents.items():
        key = name.replace("__", "/").replace("_", ".")
        media.put(key, content, content_type="application/octet-stream")


def register(owner: User, **request: Any) -> dict[str, Any]:
    seen_by = {} if {"owner", "group", "public"} & request.keys() else {"public": True}
    return run(Register, owner=owner, **{"bucket": MEDIA} | seen_by | request).metadata


def names() -> dict[str, str]:
    return {file.key: file.name for file in StoredFile.objects.available()}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the keys of the objects that are read."""
    seen: list[str] = []
    read = ObjectRequests.read

    def spied(self: ObjectRequests, key: str, **options: Any) -> Any:
        seen.append(key)
        return read(self, key, **options)

    monkeypatch.setattr(ObjectRequests, "read", spied)
    return seen


def test_files_have_what_was_read(alice: User, media: ObjectRequests) -> None:
    content = b"%PDF-1.4 " + b"\0" * 3_000_000
    put(media, invoices__2026__may_pdf=content, invoices__empty_txt=b"")

    facts = register(alice, prefix="invoices/", folder="Invoices")

    file = StoredFile.objects.get(key="invoices/2026/may.pdf")
    assert (file.bucket, file.name) == (MEDIA, "Invoices/2026/may.pdf")
    assert (file.content_type, file.size_bytes) == ("application/pdf", len(content))
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert file.crc32 == zlib.crc32(content)
    assert file.file_id
    assert facts == {"registered": 2, "unchanged": 0, "missing": 0, "skipped": 0}


def test_second_run_reads_nothing_and_changes_nothing(
    alice: User, media: ObjectRequests, reads: list[str]
) -> None:
    put(media, a_txt=b"one", b_txt=b"two")
    register(alice)
    before = list(StoredFile.objects.order_by("pk").values())
    reads.clear()

    facts = register(alice)

    assert reads == []
    assert list(StoredFile.objects.order_by("pk").values()) == before
    assert facts["unchanged"] == 2


def test_changed_objects_are_read_again_under_their_number(
    alice: User, media: ObjectRequests, reads: list[str]
) -> None:
    put(media, a_txt=b"one", b_txt=b"two")
    register(alice)
    number = StoredFile.objects.get(key="a.txt").file_id
    StoredFile.objects.filter(key="a.txt").update(name="Renamed.txt")
    put(media, a_txt=b"1__")
    reads.clear()

    register(alice)

    file = StoredFile.objects.get(key="a.txt")
    assert reads == ["a.txt"]
    assert (file.file_id, file.name) == (number, "Renamed.txt")
    assert file.sha256 == hashlib.sha256(b"1__").hexdigest()


def test_what_went_is_hidden_until_it_is_back(
    alice: User, media: ObjectRequests, bucket: Any, client_of_alice: APIClient
) -> None:
    put(media, a__1_txt=b"one", a__2_txt=b"two", b__3_txt=b"three")
    register(alice)
    numbers = {file.key: file.file_id for file in StoredFile.objects.all()}
    for key in ("a/2.txt", "b/3.txt"):
        bucket.client.delete_object(Bucket=MEDIA, Key=key)

    facts = register(alice, prefix="a/")

    assert facts["missing"] == 1
    assert set(names()) == {"a/1.txt", "b/3.txt"}  # the other prefix is not looked at
    check = client_of_alice.post("/v1/download/check", {"file_id": numbers["a/2.txt"]}).json()
    assert check["available"] is False

    put(media, a__2_txt=b"two")
    register(alice, prefix="a/")
    assert StoredFile.objects.available().get(key="a/2.txt").file_id == numbers["a/2.txt"]


def test_everything_went(alice: User, media: ObjectRequests, bucket: Any) -> None:
    put(media, a_txt=b"one", b_txt=b"two")
    register(alice)
    empty(bucket, MEDIA)

    assert register(alice)["missing"] == 2
    assert register(alice)["missing"] == 0  # it is known already
    assert names() == {}


def test_prefixes_match_themselves_alone(alice: User, media: ObjectRequests) -> None:
    """`%` and `_` in a prefix are not wildcards."""
    put(media, b_txt=b"one")
    media.put("a_c/1.txt", b"1", content_type="")
    media.put("abc/1.txt", b"1", content_type="")
    register(alice)

    assert register(alice, prefix="a_c/")["unchanged"] == 1
    assert len(names()) == 3


def test_who_sees_the_files_can_be_changed(
    alice: User, bob: User, media: ObjectRequests, reads: list[str]
) -> None:
    group = Group.objects.create(name="sales")
    put(media, a_txt=b"one")
    call_command("register", f"s3://{MEDIA}/", "--owner", "bob")
    assert StoredFile.objects.get().owner == bob

    register(alice, group="sales")

    file = StoredFile.objects.get()
    assert (file.owner, file.group) == (None, group)
    assert reads == ["a.txt"]


def test_names_keep_folders_that_are_safe(alice: User, media: ObjectRequests) -> None:
    for key in ("x/2026/a:b.txt", "x/c\u202etxt.exe", "x/folder/"):
        media.put(key, b"1", content_type="")

    register(alice, prefix="x", folder="../In/./")

    assert set(names().values()) == {"In/x/2026/a_b.txt", "In/x/ctxt.exe"}


def test_objects_of_jobs_are_not_registered(alice: User, bucket: Any, job: DownloadJob) -> None:
    """Somebody's results and uploads would be public."""
    own = bucket.bucket_name
    for key in ("results/1/1/a.zip", "raw/1/a.bin", "processed/1/a.jpg", "theirs/a.txt"):
        bucket.objects.put(key, b"hello", content_type="")

    register(alice, bucket=own)

    found = StoredFile.objects.exclude(etag="").values_list("key", flat=True)
    assert "theirs/a.txt" in found
    assert not [key for key in found if key.startswith(("results/", "raw/", "processed/"))]


def test_rows_of_jobs_stay_as_they_are(alice: User, bob: User, bucket: Any) -> None:
    """The kind of their job, and so its folder, may no longer be installed."""
    bucket.objects.put("exports/1/1/a.zip", b"hello", content_type="")
    StoredFileFactory(owner=bob, key="exports/1/1/a.zip", role="artifact")
    StoredFileFactory(owner=bob, key="exports/1/1/gone.zip", role="artifact")
    before = list(StoredFile.objects.order_by("pk").values())

    register(alice, bucket=bucket.bucket_name, prefix="exports/")

    assert list(StoredFile.objects.order_by("pk").values()) == before


def test_two_pages_and_more_rows_than_are_read_at_once(
    alice: User, media: ObjectRequests, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.kinds.register.catalogue.ROWS", 2)
    keys = [f"{number:02}.txt" for number in range(12)]
    for key in keys:
        media.put(key, key.encode(), content_type="")
    with in_pages_of(3):
        register(alice)
        for key in keys[2:8]:
            bucket.client.delete_object(Bucket=MEDIA, Key=key)

        facts = register(alice)

    assert facts == {"registered": 0, "unchanged": 6, "missing": 6, "skipped": 0}
    assert sorted(names()) == [*keys[:2], *keys[8:]]


def in_pages_of(size: int) -> Any:
    """List a few objects at once."""
    whole = build.list_object_pages

    def pages(*args: Any, **options: Any) -> Iterator[list[Any]]:
        found = [each for page in whole(*args, **options) for each in page]
        yield from (found[n : n + size] for n in range(0, len(found), size))

    return patch.object(build, "list_object_pages", pages)


def test_next_attempt_continues_behind_the_checkpoint(
    alice: User, media: ObjectRequests, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "SAVE_SECONDS", 0)
    for number in range(8):
        media.put(f"{number}.txt", b"1", content_type="")
    request = {"bucket": MEDIA, "public": True}
    with in_pages_of(2), pytest.raises(Interrupted) as stopped:
        run(Register, owner=alice, cancel_after=9, **request)
    first = list(reads)
    rows = StoredFile.objects.count()
    reads.clear()
    assert 0 < rows < 8, stopped

    facts = run(
        Register, owner=alice, checkpoint={"after": "3.txt", "counts": {"registered": 4}}, **request
    ).metadata

    assert sorted(reads) == [f"{n}.txt" for n in range(max(rows, 4), 8)]
    assert first
    assert StoredFile.objects.count() == 8
    assert facts["registered"] + facts["unchanged"] == 8


def test_two_registrations_at_once(alice: User, media: ObjectRequests) -> None:
    for number in range(30):
        media.put(f"{number}.txt", b"1", content_type="")
    errors: list[BaseException] = []

    def work() -> None:
        try:
            call_command("register", f"s3://{MEDIA}/", "--public")
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert errors == []
    assert StoredFile.objects.available().count() == 30


def test_object_that_changes_meanwhile_is_left_for_the_next_run(
    alice: User, media: ObjectRequests
) -> None:
    put(media, a_txt=b"one", b_txt=b"two")
    whole = build.list_object_pages

    def pages(*args: Any, **options: Any) -> Iterator[list[Any]]:
        for page in whole(*args, **options):
            yield [page[0]._replace(etag="0" * 32), *page[1:]]

    with patch.object(build, "list_object_pages", pages):
        facts = register(alice)

    assert (facts["registered"], facts["skipped"]) == (1, 1)
    assert set(names()) == {"b.txt"}


def test_rows_of_deleted_files_go_and_their_objects_stay(
    alice: User, media: ObjectRequests, client_of_operator: APIClient
) -> None:
    put(media, a_txt=b"one")
    register(alice)

    number = StoredFile.objects.get().file_id
    assert client_of_operator.delete(f"/v1/files/{number}").status_code == 204

    assert media.head("a.txt")["content-length"] == "3"
    assert not StoredFile.objects.exists()


def test_bundle_of_registered_files_keeps_their_folders(
    alice: User, media: ObjectRequests, client_of_alice: APIClient, broker: Any
) -> None:
    put(media, a__1_txt=b"one", b__1_txt=b"two")
    register(alice)
    ids = [file.file_id for file in StoredFile.objects.order_by("key")]
    job_id = client_of_alice.post("/v1/download/initiate", {"file_ids": ids}).json()["jobId"]

    assert run_job(job_id, task_id="t", worker="w") == "completed"

    job = DownloadJob.objects.get(pk=job_id)
    assert job.artifact
    zipped = b"".join(storage.read_object(job.artifact.key))
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        assert archive.namelist() == ["a/1.txt", "b/1.txt"]


def test_job_of_the_api(client_of_operator: APIClient, media: ObjectRequests, broker: Any) -> None:
    put(media, a_txt=b"one", b_txt=b"two")

    response = client_of_operator.post("/v1/files", {"bucket": MEDIA, "public": True})

    body = response.json()
    assert response.status_code == 202
    assert response["Location"] == f"/v1/download/status/{body['jobId']}"
    assert run_job(body["jobId"], task_id="t", worker="w") == "completed"
    polled = client_of_operator.get(response["Location"]).json()
    assert (polled["status"], polled["done"], polled["unit"]) == ("completed", 2, "objects")
    assert polled["metadata"]["registered"] == 2


@pytest.mark.parametrize("body", [
    {}, {"bucket": MEDIA}, {"bucket": "other", "public": True}, {"bucket": MEDIA, "public": False},
    {"bucket": MEDIA, "public": True, "group": "sales"}, {"bucket": MEDIA, "owner": "nobody"},
    {"bucket": MEDIA, "group": "none"}, {"bucket": MEDIA, "public": True, "prefix": 5},
    {"bucket": MEDIA, "public": True, "unknown": 1},
])  # fmt: skip
def test_an_invalid_registration_is_400(
    client_of_operator: APIClient, body: dict[str, Any]
) -> None:
    Group.objects.create(name="sales")

    assert client_of_operator.post("/v1/files", body).status_code == 400
    assert not DownloadJob.objects.exists()


@pytest.mark.parametrize("url", ["/v1/files", "/v1/jobs/register"])
def test_only_staff_and_who_has_the_permission_register(
    client_of_alice: APIClient, alice: User, broker: Any, url: str
) -> None:
    body = {"bucket": MEDIA, "public": True}

    assert APIClient().post(url, body).status_code == 401
    assert client_of_alice.post(url, body).status_code == 403
    assert not DownloadJob.objects.exists()

    alice.user_permissions.add(Permission.objects.get(codename="add_storedfile"))
    client_of_alice.force_authenticate(User.objects.get(pk=alice.pk))
    assert client_of_alice.post(url, body).status_code == 202


def test_command(media: ObjectRequests, capsys: Any) -> None:
    Group.objects.create(name="sales")
    put(media, a__1_txt=b"one", a__2_txt=b"two")

    call_command("register", f"s3://{MEDIA}/a/", "--group", "sales", "--folder", "F")

    assert capsys.readouterr().out == "2 registered\n"
    assert set(names().values()) == {"F/1.txt", "F/2.txt"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([f"s3://{MEDIA}/"], "--owner --group --public is required"),
        (["media/a", "--public"], "Give a bucket and a prefix"),
        (["s3://none/", "--public"], f"Use one of: .*{MEDIA}"),
        ([f"s3://{MEDIA}/", "--owner", "nobody"], "no such user"),
    ],
)
def test_command_with_wrong_arguments(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("register", *arguments)


def test_command_says_that_the_bucket_does_not_exist(settings: Any) -> None:
    settings.BUCKETS = ["no-such-bucket"]

    with pytest.raises(CommandError, match="bucket no-such-bucket could not be found"):
        call_command("register", "s3://no-such-bucket/", "--public")


def test_audit_leaves_registered_objects_alone(alice: User, media: ObjectRequests) -> None:
    from datetime import UTC, datetime

    from jobs.engine.storage_audit import AuditCounts, audit_storage

    put(media, a_txt=b"one")
    register(alice)
    StoredFileFactory(key="gone.txt", missing_since=datetime.now(UTC))

    keys = [found.key for found in audit_storage(datetime.now(UTC), AuditCounts())]
    assert not {"a.txt", "gone.txt"} & set(keys)


@pytest.mark.parametrize("name", ["Media", "a", "media/x", "a..b", "-media", ""])
def test_name_that_is_none_stops_the_start(settings: Any, name: str) -> None:
    settings.BUCKETS = ["media.archive-2", name]

    (found,) = check_bucket_names()
    assert repr(name) in found.msg


def test_missing_bucket_is_an_error_of_the_job(alice: User, settings: Any) -> None:
    settings.BUCKETS = ["no-such-bucket"]
    with pytest.raises(BucketMissing):
        register(alice, bucket="no-such-bucket")


def test_objects_are_listed_with_their_times(media: ObjectRequests, bucket: Any) -> None:
    put(media, a_txt=b"one")

    ((found,),) = storage.list_object_pages("", bucket_name=MEDIA)

    listed = found.modified_at
    head = bucket.client.head_object(Bucket=MEDIA, Key="a.txt")["LastModified"]  # RFC 9110's format
    assert listed.replace(microsecond=0) == head
    assert found.etag
