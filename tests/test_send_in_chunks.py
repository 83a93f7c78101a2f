"""POST /upload/chunked: a file in chunks, in any order, with interruptions."""

from __future__ import annotations

import hashlib
import threading
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models.functions import Now
from rest_framework.test import APIClient

from jobs import storage
from jobs.engine import expiry
from jobs.errors import StorageUnavailable
from jobs.models import DownloadJob, IncomingUpload, StoredFile
from tests.links import attempt
from tests.uploads import CHUNK, begin, in_the_bucket, send, send_chunk

pytestmark = pytest.mark.usefixtures("delete_uploads", "broker")
CONTENT = bytes(range(256)) * (CHUNK // 256 * 2) + b"the end"  # two chunks and a little


def test_the_first_response_has_the_size_of_the_chunks(client_of_alice: APIClient) -> None:
    begun = begin(client_of_alice, len(CONTENT), "drone.mp4")

    assert (begun["chunkSize"], begun["totalChunks"]) == (CHUNK, 3)
    assert (begun["receivedChunks"], begun["complete"]) == ([], False)
    assert DownloadJob.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_chunks_can_arrive_in_any_order_and_twice(client_of_alice: APIClient) -> None:
    begun = begin(client_of_alice, len(CONTENT))

    answers = [send_chunk(client_of_alice, begun, n, CONTENT) for n in (2, 0, 2, 1)]

    assert [each.status_code for each in answers] == [200, 200, 200, 202]
    assert [each.json()["received"] for each in answers] == [True] * 4
    assert answers[2].json()["receivedChunks"] == [0, 2]
    job = attempt(DownloadJob.objects.get(pk=begun["jobId"]))
    assert job.status == "completed", job.error
    assert job.artifact.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert job.artifact.key == f"raw/{job.pk}/drone.bin"
    assert in_the_bucket(f"raw/{job.pk}") == [job.artifact.key]


def test_unfinished_uploads_are_limited(
    client_of_alice: APIClient, bob: User, settings: Any
) -> None:
    settings.MAX_OPEN_UPLOADS = 2
    first, _ = begin(client_of_alice, 1), begin(client_of_alice, 1)
    new_upload = {"fileName": "one.bin", "totalSize": 1}

    refused = client_of_alice.post("/upload/chunked", new_upload)

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_uploads")
    assert refused["Retry-After"] == "60"
    assert IncomingUpload.objects.count() == 2
    client_of_bob = APIClient()
    client_of_bob.force_authenticate(bob)
    assert begin(client_of_bob, 1)
    client_of_alice.delete(f"/upload/chunked/{first['jobId']}")
    assert begin(client_of_alice, 1)


def test_a_repeated_first_request_is_the_same_upload(
    client_of_alice: APIClient, settings: Any
) -> None:
    settings.MAX_OPEN_UPLOADS = 1
    new_upload, key = {"fileName": "one.bin", "totalSize": 1}, {"Idempotency-Key": "once"}
    first = client_of_alice.post("/upload/chunked", new_upload, headers=key)

    again = client_of_alice.post("/upload/chunked", new_upload, headers=key)

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["jobId"] == first.json()["jobId"]


def test_fields_may_follow_the_chunk(client_of_alice: APIClient) -> None:
    begun = begin(client_of_alice, 5)
    chunk = {"chunk": SimpleUploadedFile("blob", b"words")}
    fields = {"jobId": begun["jobId"], "chunkIndex": 0, "totalChunks": 1}

    response = client_of_alice.post("/upload/chunked", chunk | fields, format="multipart")

    assert response.status_code == 202


@pytest.mark.parametrize(
    ("sent", "is_right"),
    [
        ("bytes {first}-{last}/{total}", True),
        ("bytes {first}-{last}/*", True),
        ("Bytes {first}-{last}/*", True),
        ("bytes 0-7/*", False),
        ("bytes {first}-{last}/7", False),
        ("bytes {last}-{first}/*", False),
        ("bytes */{total}", False),
        ("bytes {first}-{last}", False),
        ("items {first}-{last}/*", False),
        ("", False),
    ],
)
def test_content_range_must_match_the_chunk(
    client_of_alice: APIClient, sent: str, is_right: bool
) -> None:
    begun = begin(client_of_alice, len(CONTENT))
    sent = sent.format(first=CHUNK, last=2 * CHUNK - 1, total=len(CONTENT))

    response = send_chunk(client_of_alice, begun, 1, CONTENT, {"Content-Range": sent})

    assert response.status_code == (200 if is_right else 400)
    if not is_right:
        (error,) = response.json()["errors"]
        assert error["field"] == "Content-Range"
        assert f"bytes {CHUNK}-{2 * CHUNK - 1}/{len(CONTENT)}" in error["detail"]
    arrived = client_of_alice.get(f"/upload/chunked/{begun['jobId']}").json()["receivedChunks"]
    assert arrived == ([1] if is_right else [])


def test_received_chunks_are_listed(client_of_alice: APIClient) -> None:
    begun = begin(client_of_alice, len(CONTENT))
    send_chunk(client_of_alice, begun, 1, CONTENT)

    state = client_of_alice.get(f"/upload/chunked/{begun['jobId']}").json()

    assert (state["receivedChunks"], state["receivedSize"]) == ([1], CHUNK)
    assert state["complete"] is False


def test_a_complete_upload_has_its_job(client_of_alice: APIClient) -> None:
    begun = begin(client_of_alice, 5)
    send_chunk(client_of_alice, begun, 0, b"words")

    state = client_of_alice.get(f"/upload/chunked/{begun['jobId']}").json()
    again = send_chunk(client_of_alice, begun, 0, b"words")

    assert (state["complete"], state["receivedChunks"], state["expiresAt"]) == (True, [0], None)
    assert (again.status_code, again.json()["jobId"]) == (202, begun["jobId"])
    assert DownloadJob.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_last_chunks_create_one_job(client_of_alice: APIClient) -> None:
    begun = begin(client_of_alice, len(CONTENT))
    answers: list[Any] = []

    def send_number(number: int) -> None:
        try:
            answers.append(send_chunk(client_of_alice, begun, number, CONTENT))
        finally:
            connection.close()

    threads = [threading.Thread(target=send_number, args=[n]) for n in (0, 1, 2, 0, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert {each.status_code for each in answers} <= {200, 202}
    assert DownloadJob.objects.count() == 1
    job = attempt(DownloadJob.objects.get())
    assert job.artifact.sha256 == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"totalChunks": 4}, "totalChunks"),
        ({"chunkIndex": 3}, "chunkIndex"),
        ({"chunkIndex": -1}, "chunkIndex"),
        ({"chunkIndex": "first"}, "chunkIndex"),
        ({"jobId": "mine"}, "jobId"),
        ({"chunkIndex": 2}, "chunk"),  # the last one is shorter
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_chunk_that_does_not_fit_is_refused(
    client_of_alice: APIClient, fields: dict[str, Any], field: str
) -> None:
    begun = begin(client_of_alice, len(CONTENT))

    response = send_chunk(client_of_alice, begun, 0, CONTENT, **fields)

    assert response.status_code == 400
    assert [each["field"] for each in response.json()["errors"]] == [field]
    assert IncomingUpload.objects.get().received == []


@pytest.mark.parametrize(
    ("new_upload", "field"),
    [
        ({"totalSize": 5}, "fileName"),
        ({"fileName": "a", "totalSize": 0}, "totalSize"),
        ({"fileName": "a", "totalSize": "5"}, "totalSize"),
        ({"fileName": "a", "totalSize": 10**15}, "totalSize"),
        ({"fileName": "a", "totalSize": 5, "sha256": "abc"}, "sha256"),
        ({"fileName": "a", "totalSize": 5, "chunk": "AAAA"}, "chunk"),
    ],
)
def test_invalid_uploads_are_refused(
    client_of_alice: APIClient, new_upload: dict[str, Any], field: str
) -> None:
    response = client_of_alice.post("/upload/chunked", new_upload)

    assert response.status_code == 400
    assert [each["field"] for each in response.json()["errors"]] == [field]


def test_a_refused_type_is_refused_with_the_first_chunk(
    client_of_alice: APIClient, settings: Any
) -> None:
    settings.UPLOAD_TYPES = ["image/*"]
    begun = begin(client_of_alice, 5)

    response = send_chunk(client_of_alice, begun, 0, b"words")

    assert (response.status_code, response.json()["code"]) == (422, "type_not_allowed")


def test_one_key_is_one_upload(client_of_alice: APIClient) -> None:
    new_upload = {"fileName": "a.bin", "totalSize": 5}
    key = {"Idempotency-Key": "k-1"}
    first = client_of_alice.post("/upload/chunked", new_upload, headers=key)
    again = client_of_alice.post("/upload/chunked", new_upload, headers=key)
    other = client_of_alice.post("/upload/chunked", new_upload | {"totalSize": 6}, headers=key)
    send_chunk(client_of_alice, first.json(), 0, b"words")
    done = client_of_alice.post("/upload/chunked", new_upload, headers=key)

    assert again.json()["jobId"] == first.json()["jobId"] == done.json()["jobId"]
    assert again["Idempotency-Replayed"] == done["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert done.status_code == 202


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k-1"}])
def test_a_failed_first_request_uses_no_storage(
    client_of_alice: APIClient,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    key: dict[str, str],
) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise StorageUnavailable("The file store could not be reached.")

    settings.OWNER_STORAGE_BYTES = 8
    new_upload = {"fileName": "a.bin", "totalSize": 5}
    with monkeypatch.context() as patched:
        patched.setattr(storage.MultipartUpload, "begin", away)
        refused = client_of_alice.post("/upload/chunked", new_upload, headers=key)

    again = client_of_alice.post("/upload/chunked", new_upload, headers=key)

    assert (refused.status_code, again.status_code) == (503, 200)
    assert send_chunk(client_of_alice, again.json(), 0, b"words").status_code == 202


def test_the_key_of_a_cancelled_upload_can_be_reused(client_of_alice: APIClient) -> None:
    new_upload = {"fileName": "a.bin", "totalSize": 5}
    key = {"Idempotency-Key": "k-1"}
    first = client_of_alice.post("/upload/chunked", new_upload, headers=key).json()
    client_of_alice.delete(f"/upload/chunked/{first['jobId']}")

    again = client_of_alice.post("/upload/chunked", new_upload, headers=key)

    assert again.json()["jobId"] != first["jobId"]
    assert send_chunk(client_of_alice, again.json(), 0, b"words").status_code == 202


def test_foreign_uploads_are_403(client_of_alice: APIClient, bob: User) -> None:
    begun = begin(client_of_alice, 5)
    client_of_bob = APIClient()
    client_of_bob.force_authenticate(bob)

    assert send_chunk(client_of_bob, begun, 0, b"words").status_code == 403
    assert client_of_bob.get(f"/upload/chunked/{begun['jobId']}").status_code == 403
    assert client_of_bob.delete(f"/upload/chunked/{begun['jobId']}").status_code == 403


def test_foreign_uploads_can_be_hidden(
    client_of_alice: APIClient, bob: User, settings: Any
) -> None:
    settings.HIDE_FOREIGN_JOBS = True
    begun = begin(client_of_alice, 5)
    client_of_bob = APIClient()
    client_of_bob.force_authenticate(bob)

    answers = [
        client_of_bob.get(f"/upload/chunked/{each}", headers={"X-Request-ID": "r-1"})
        for each in (begun["jobId"], uuid4())
    ]

    assert [each.status_code for each in answers] == [404, 404]
    assert answers[0].json() == answers[1].json()


def test_unknown_uploads_are_404(client_of_alice: APIClient) -> None:
    unknown = {"jobId": str(uuid4()), "chunkSize": CHUNK, "totalChunks": 1}
    in_one_form = send(client_of_alice, b"words").json()

    assert send_chunk(client_of_alice, unknown, 0, b"words").status_code == 404
    assert client_of_alice.get(f"/upload/chunked/{unknown['jobId']}").status_code == 404
    assert client_of_alice.get(f"/upload/chunked/{in_one_form['jobId']}").status_code == 404


def test_a_cancelled_upload_is_deleted(client_of_alice: APIClient) -> None:
    begun = begin(client_of_alice, len(CONTENT))
    send_chunk(client_of_alice, begun, 0, CONTENT)

    response = client_of_alice.delete(f"/upload/chunked/{begun['jobId']}")

    assert response.status_code == 204
    assert send_chunk(client_of_alice, begun, 1, CONTENT).status_code == 404
    assert expiry.expire_abandoned_uploads() == 1
    assert in_the_bucket("raw/") == []
    assert IncomingUpload.objects.count() == 0


def test_an_upload_that_the_store_deleted_is_410(client_of_alice: APIClient) -> None:
    """By a lifecycle rule, or by hand."""
    begun = begin(client_of_alice, len(CONTENT))
    storage.delete_object_and_uploads(IncomingUpload.objects.get().key)

    answers = [send_chunk(client_of_alice, begun, n, CONTENT).status_code for n in (0, 1)]

    assert answers == [404, 404]
    assert client_of_alice.get(f"/upload/chunked/{begun['jobId']}").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_chunk_after_completion_returns_the_job(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(*args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr(storage.MultipartUpload, "put", put)
        send_chunk(client_of_alice, begun, 0, b"words")
        attempt(DownloadJob.objects.get())
        put(*args, **kwargs)

    put = storage.MultipartUpload.put
    begun = begin(client_of_alice, 5)
    monkeypatch.setattr(storage.MultipartUpload, "put", overtaken)

    response = send_chunk(client_of_alice, begun, 0, b"words")

    assert (response.status_code, response.json()["jobId"]) == (202, begun["jobId"])


def test_a_chunk_during_cancellation_creates_no_job(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(*args: Any, **kwargs: Any) -> None:
        put(*args, **kwargs)
        client_of_alice.delete(f"/upload/chunked/{begun['jobId']}")

    put = storage.MultipartUpload.put
    begun = begin(client_of_alice, 5)
    monkeypatch.setattr(storage.MultipartUpload, "put", overtaken)

    response = send_chunk(client_of_alice, begun, 0, b"words")

    assert response.status_code == 404
    assert DownloadJob.objects.count() == 0
    assert expiry.expire_abandoned_uploads() == 1
    assert in_the_bucket("raw/") == []


def test_an_abandoned_upload_is_deleted(client_of_alice: APIClient, settings: Any) -> None:
    begun = begin(client_of_alice, len(CONTENT))
    send_chunk(client_of_alice, begun, 0, CONTENT)
    fresh = begin(client_of_alice, 5)
    a_day_and_more = Now() - timedelta(seconds=settings.UPLOAD_IDLE_SECONDS + 1)
    IncomingUpload.objects.filter(pk=begun["jobId"]).update(touched_at=a_day_and_more)

    assert expiry.expire_abandoned_uploads() == 1

    assert [str(upload.pk) for upload in IncomingUpload.objects.all()] == [fresh["jobId"]]
    assert in_the_bucket(f"raw/{begun['jobId']}") == []


def test_undeletable_uploads_do_not_block_others(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(key: str) -> None:
        if "stuck" in key:
            raise StorageUnavailable("The file store refused a request.")
        delete(key)

    delete = storage.delete_object_and_uploads
    monkeypatch.setattr(storage, "delete_object_and_uploads", refused)
    for name in ("stuck-1", "stuck-2", "stuck-3", "a"):
        begun = begin(client_of_alice, 5, name)
        client_of_alice.delete(f"/upload/chunked/{begun['jobId']}")

    deleted = [expiry.expire_abandoned_uploads() for _ in range(2)]

    assert deleted == [0, 1]


def test_chunks_reserve_space_in_the_store(
    client_of_alice: APIClient, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STORE_BYTES = 1_000
    monkeypatch.setattr("jobs.engine.figures.USED_KEPT_SECONDS", -1)
    begin(client_of_alice, 800)

    response = client_of_alice.post("/upload/chunked", {"fileName": "a", "totalSize": 300})

    assert (response.status_code, response.json()["code"]) == (503, "store_full")


def test_chunks_reserve_the_owners_storage(client_of_alice: APIClient, settings: Any) -> None:
    settings.OWNER_STORAGE_BYTES = 1_000
    begin(client_of_alice, 800)

    response = client_of_alice.post("/upload/chunked", {"fileName": "a", "totalSize": 300})

    assert (response.status_code, response.json()["code"]) == (429, "storage_full")


@pytest.mark.django_db(transaction=True)
def test_a_file_that_is_not_the_expected_one_fails(client_of_alice: APIClient) -> None:
    begun = begin(client_of_alice, 5, sha256="0" * 64)
    send_chunk(client_of_alice, begun, 0, b"words")

    job = attempt(DownloadJob.objects.get(pk=begun["jobId"]))

    assert (job.status, job.error_code) == ("failed", "checksum_mismatch")


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_died_after_joining_the_parts_is_harmless(
    client_of_alice: APIClient,
) -> None:
    begun = begin(client_of_alice, len(CONTENT))
    for number in range(3):
        send_chunk(client_of_alice, begun, number, CONTENT)
    file = StoredFile.objects.get(made_by=begun["jobId"])
    job = DownloadJob.objects.get(pk=begun["jobId"])
    storage.complete_multipart_upload(file.key, job.params["upload_id"], size_bytes=file.size_bytes)

    assert attempt(job).status == "completed"
