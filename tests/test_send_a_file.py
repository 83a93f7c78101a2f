"""POST /upload: the file is stored while it arrives, and a job is created."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from rest_framework.test import APIClient

from jobs import storage
from jobs.engine import expiry
from jobs.errors import StorageUnavailable
from jobs.kinds.upload import receive
from jobs.models import DownloadJob, IncomingUpload, StoredFile
from jobs.states import Status
from jobs.storage import output
from tests.uploads import in_the_bucket, picture, send, sent

pytestmark = pytest.mark.usefixtures("delete_uploads", "broker")


def test_a_file_is_stored_and_becomes_a_job(client_of_alice: APIClient, alice: User) -> None:
    content = picture()

    response = send(client_of_alice, content, "harbour.jpg")

    members = response.json()
    job = DownloadJob.objects.get(pk=members["jobId"])
    assert response.status_code == 202
    assert response["Location"] == f"/v1/download/status/{job.pk}"
    assert (members["status"], members["kind"], members["fileName"]) == (
        "queued",
        "upload",
        "harbour.jpg",
    )
    assert members["total"] == len(content)
    assert b"".join(storage.read_object(f"raw/{job.pk}/harbour.jpg")) == content
    assert (job.owner, job.status) == (alice, Status.QUEUED)


def test_a_file_cannot_be_accessed_before_it_is_checked(client_of_alice: APIClient) -> None:
    job = sent(client_of_alice, b"not checked yet")

    file = StoredFile.objects.get(made_by=job)

    assert (file.role, file.file_id) == (StoredFile.Role.UPLOAD, None)
    assert client_of_alice.get(f"/v1/download/{job.pk}").status_code == 409


def test_a_file_of_many_parts_is_stored_whole(client_of_alice: APIClient) -> None:
    content = b"0123456789abcdef" * (1_000_000)

    job = sent(client_of_alice, content, "large.bin")

    stored = b"".join(storage.read_object(f"raw/{job.pk}/large.bin"))
    assert hashlib.sha256(stored).digest() == hashlib.sha256(content).digest()
    assert job.params["sha256"] == hashlib.sha256(content).hexdigest()
    assert IncomingUpload.objects.count() == 0


@pytest.mark.parametrize("form", [{}, {"name": "no file"}])
def test_a_form_without_a_file_is_400(client_of_alice: APIClient, form: dict[str, str]) -> None:
    response = client_of_alice.post("/upload", form, format="multipart")

    members = response.json()
    assert (response.status_code, members["code"]) == (400, "no_file")
    assert members["error"] == "No file uploaded"


def test_a_truncated_file_is_not_stored(client_of_alice: APIClient) -> None:
    response = send(client_of_alice, b"the words", **{"Content-Range": "bytes 0-8/20"})

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "Content-Range"
    assert IncomingUpload.objects.count() == 0


def test_an_empty_file_field_is_no_file(client_of_alice: APIClient) -> None:
    head = b'Content-Disposition: form-data; name="file"; filename=""'
    form = b"--cut\r\n" + head + b"\r\n\r\n\r\n--cut--\r\n"

    response = client_of_alice.generic(
        "POST", "/upload", form, content_type="multipart/form-data; boundary=cut"
    )

    assert (response.status_code, response.json()["code"]) == (400, "no_file")
    assert IncomingUpload.objects.count() == 0


@pytest.mark.parametrize("excess", [1, 20_000_000])
def test_a_file_that_is_too_large_is_refused(
    client_of_alice: APIClient, settings: Any, excess: int
) -> None:
    """By one byte, which only counting detects, and by so much that Content-Length shows it."""
    settings.MAX_UPLOAD_BYTES = 6_000_000

    response = send(client_of_alice, bytes(6_000_000 + excess))

    members = response.json()
    assert (response.status_code, members["code"], members["error"]) == (
        413,
        "too_large",
        "File too large",
    )
    assert in_the_bucket("raw/") == []
    assert (DownloadJob.objects.count(), IncomingUpload.objects.count()) == (0, 0)


def test_a_file_of_the_largest_size_is_accepted(client_of_alice: APIClient, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 6_000_000

    assert send(client_of_alice, bytes(6_000_000)).status_code == 202


@pytest.mark.parametrize(
    ("content", "name", "status"),
    [
        (picture(), "harbour.jpg", 202),
        (picture(), "harbour.exe", 202),  # the name does not matter
        (b"%PDF-1.7\n%%EOF", "a.pdf", 202),
        (b"MZ" + bytes(500), "harbour.jpg", 422),
        (b"only words", "harbour.jpg", 422),
        (b"<html><script>", "a.pdf", 422),
    ],
)
def test_types_are_detected_by_the_content_of_a_file(
    client_of_alice: APIClient, settings: Any, content: bytes, name: str, status: int
) -> None:
    settings.UPLOAD_TYPES = ["image/*", "application/pdf"]

    response = send(client_of_alice, content, name)

    assert response.status_code == status
    if status == 422:
        assert response.json()["code"] == "type_not_allowed"
        assert in_the_bucket("raw/") == []
        assert IncomingUpload.objects.count() == 0


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\alice\\tax.pdf", "tax.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a" * 300 + ".txt", "a" * 176 + ".txt"),
        ("", "file"),
    ],
)
def test_names_are_made_safe(client_of_alice: APIClient, name: str, safe: str) -> None:
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"'.replace("\\", "\\\\")
    body = f"--cut\r\n{head}\r\n\r\nwords\r\n--cut--\r\n".encode()

    response = client_of_alice.post(
        "/upload", body, content_type="multipart/form-data; boundary=cut"
    )

    assert response.json()["fileName"] == safe


def test_the_same_key_and_file_is_one_job(client_of_alice: APIClient) -> None:
    first = send(client_of_alice, b"once", **{"Idempotency-Key": "k-1"})

    again = send(client_of_alice, b"once", **{"Idempotency-Key": "k-1"})

    assert again.json()["jobId"] == first.json()["jobId"]
    assert again["Idempotency-Replayed"] == "true"
    assert in_the_bucket("raw/") == [f"raw/{first.json()['jobId']}/notes.txt"]
    assert IncomingUpload.objects.count() == 0


def test_a_replay_does_not_count_against_limits(client_of_alice: APIClient, settings: Any) -> None:
    settings.MAX_ACTIVE_JOBS = 1
    first = send(client_of_alice, b"once", **{"Idempotency-Key": "k-1"})

    again = send(client_of_alice, b"once", **{"Idempotency-Key": "k-1"})

    assert (again.status_code, again.json()["jobId"]) == (202, first.json()["jobId"])


def test_the_same_key_with_another_file_is_refused(client_of_alice: APIClient) -> None:
    send(client_of_alice, b"once", **{"Idempotency-Key": "k-1"})

    other = send(client_of_alice, b"other", **{"Idempotency-Key": "k-1"})

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(in_the_bucket("raw/")) == 1


def test_an_owner_without_storage_is_refused_before_the_file(
    client_of_alice: APIClient, settings: Any
) -> None:
    settings.OWNER_STORAGE_BYTES = 1_000

    response = send(client_of_alice, bytes(2_000))

    assert (response.status_code, response.json()["code"]) == (429, "storage_full")
    assert in_the_bucket("raw/") == []


def test_a_file_is_counted_once_while_it_is_processed(
    client_of_alice: APIClient, settings: Any
) -> None:
    settings.OWNER_STORAGE_BYTES = 5_000
    sent(client_of_alice, bytes(2_000))

    assert send(client_of_alice, bytes(2_000)).status_code == 202


def test_a_nearly_full_store_refuses_uploads(
    client_of_alice: APIClient, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.engine.figures._store_used", (-100.0, 0))
    settings.STORE_BYTES = 2_000

    response = send(client_of_alice, bytes(2_000))

    assert (response.status_code, response.json()["code"]) == (503, "store_full")
    assert response["Retry-After"] == "3600"


def test_a_failing_store_creates_no_job(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise StorageUnavailable("The file store could not be reached.")

    monkeypatch.setattr("jobs.storage.output.put_object", away)

    response = send(client_of_alice, b"words")

    members = response.json()
    assert (response.status_code, members["code"]) == (503, "storage_unavailable")
    assert members["error"] == "Upload failed"
    assert (DownloadJob.objects.count(), IncomingUpload.objects.coming().count()) == (0, 0)


def test_an_object_without_a_response_is_deleted(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*args: Any, **kwargs: Any) -> None:
        put_whole(*args, **kwargs)
        raise StorageUnavailable("The file store could not be reached.")

    put_whole = output.put_object
    monkeypatch.setattr(output, "put_object", cut_off)

    response = send(client_of_alice, b"words")

    assert response.status_code == 503
    assert len(in_the_bucket("raw/")) == 1
    assert expiry.expire_abandoned_uploads() == 1
    assert (in_the_bucket("raw/"), IncomingUpload.objects.count()) == ([], 0)


def test_a_file_is_kept_if_the_response_to_the_commit_was_lost(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*args: Any, **kwargs: Any) -> None:
        hand_over(*args, **kwargs)
        raise OperationalError("server closed the connection unexpectedly")

    hand_over = receive._hand_over
    key = {"Idempotency-Key": "k-1"}
    with monkeypatch.context() as patched:
        patched.setattr(receive, "_hand_over", cut_off)
        first = send(client_of_alice, b"once", **key)

    again = send(client_of_alice, b"once", **key)

    assert (first.status_code, again.status_code) == (503, 202)
    job = DownloadJob.objects.get(pk=again.json()["jobId"])
    assert b"".join(storage.read_object(job.params["key"])) == b"once"
    assert len(in_the_bucket("raw/")) == 1


@pytest.mark.parametrize(
    ("content_type", "headers"),
    [
        ("application/x-www-form-urlencoded", {}),
        ("multipart/form-data; boundary=cut", {"Content-Encoding": "gzip"}),
    ],
)
def test_a_malformed_form_shows_an_error_on_the_page(
    alice: User, content_type: str, headers: dict[str, str]
) -> None:
    client = Client()
    client.force_login(alice)

    response = client.post(
        "/upload", b"a=b", content_type=content_type, headers=headers | {"Accept": "text/html"}
    )

    assert response.status_code == 415
    assert "Send the " in response.content.decode()


def test_an_upload_that_was_deleted_meanwhile_creates_no_job(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(*args: Any, **kwargs: Any) -> None:
        put_whole(*args, **kwargs)
        IncomingUpload.objects.all().give_up()

    put_whole = output.put_object
    monkeypatch.setattr(output, "put_object", overtaken)

    response = send(client_of_alice, b"words")

    assert response.status_code == 503
    assert DownloadJob.objects.count() == 0
    assert expiry.expire_abandoned_uploads() == 1


def test_anonymous_users_cannot_upload(db: None) -> None:
    response = send(APIClient(), b"words")

    assert response.status_code == 401


def test_a_session_needs_a_csrf_token(alice: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(alice)

    response = send(client, b"words")

    assert (response.status_code, response.json()["code"]) == (403, "csrf")
    assert in_the_bucket("raw/") == []


def test_a_session_with_a_csrf_token_can_upload(alice: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(alice)
    client.get("/", headers={"Accept": "text/html"})  # a page sets the CSRF cookie

    response = send(client, b"words", **{"X-CSRFToken": client.cookies["csrftoken"].value})

    assert response.status_code == 202


def test_uploads_over_the_rate_are_refused(client_of_alice: APIClient, settings: Any) -> None:
    settings.RATES |= {"upload": ["owner:10/3600"]}

    statuses = [send(client_of_alice, b"words").status_code for _ in range(11)]

    assert statuses == [202] * 10 + [429]
