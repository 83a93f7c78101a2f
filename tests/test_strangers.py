"""A second user cannot see, guess, cancel or download anything of the first, at any address.

The addresses are read from urls.py, so that new ones are tested as well.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client

from jobs import storage
from jobs.engine import runner
from jobs.models import DownloadJob, JobEvent, StoredFile
from jobs.states import Status
from tests.factories import ArtifactFactory, JobFactory, StoredFileFactory
from tests.pages.looks import BROWSER
from tests.routes import routes

OF_A_JOB = [str(url.pattern) for url in routes() if "<job:job_id>" in str(url.pattern)]
OTHERS = [str(url.pattern) for url in routes() if "<" not in str(url.pattern)]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
QUERIES = [
    "search={secret}",
    "search={id}",
    "status=processing",
    "file=1000007",
    "after={id}",
    "before={id}",
    "userId={owner}",
    "user={owner}&owner={owner}",
]
REFUSED = {403, 404, 405}
READERS: list[dict[str, str]] = [{}, BROWSER]  # some addresses distinguish the two
SECRET = "quarterly-secret"  # in every text of the first user's jobs and files


@pytest.fixture
def secret_file(alice: User) -> StoredFile:
    return StoredFileFactory(owner=alice, file_id=1_000_007, name=f"{SECRET}.pdf")


STATUSES = [Status.PROCESSING, Status.COMPLETED, Status.FAILED]


def make_secret_job(file: StoredFile, status: Status) -> DownloadJob:
    """Return a job of the file's owner in this status."""
    artifact = None
    if status == Status.COMPLETED:
        artifact = ArtifactFactory(owner=file.owner, name=f"{SECRET}.zip", size_bytes=3)
        storage.bucket().save(artifact.key, ContentFile(b"abc"))
    return JobFactory(
        owner=file.owner,
        name=f"{SECRET}.zip",
        params={"file_ids": [file.file_id]},
        message=f"Adding {SECRET}.pdf",
        error=f"{SECRET} broke" if status == Status.FAILED else "",
        status=status,
        idempotency_key=f"alices-{status}",
        request_hash="x" * 64,
        artifact=artifact,
    )


@pytest.fixture(params=STATUSES)
def secret_job(request: Any, secret_file: StoredFile, bucket: Any) -> DownloadJob:
    return make_secret_job(secret_file, request.param)


@pytest.fixture
def secret_jobs(secret_file: StoredFile, bucket: Any) -> list[DownloadJob]:
    """Return a job in each status."""
    return [make_secret_job(secret_file, status) for status in STATUSES]


def everything() -> dict[str, Any]:
    """Return everything that a stranger must not change."""
    return {
        "jobs": list(DownloadJob.objects.order_by("pk").values()),
        "events": JobEvent.objects.count(),
        "files": list(StoredFile.objects.order_by("pk").values()),
    }


def text_of(answer: Any) -> str:
    headers = json.dumps(dict(answer.headers))
    return headers + (b"" if answer.streaming else answer.content).decode()


def client_of(user: User | None) -> Client:
    client = Client()
    if user:
        client.force_login(user)
    return client


@pytest.mark.parametrize("reader", READERS, ids=["a program", "a person"])
@pytest.mark.parametrize("pattern", OF_A_JOB)
def test_at_an_address_of_a_job(
    pattern: str, reader: dict[str, str], secret_job: DownloadJob, bob: User
) -> None:
    path = "/" + pattern.replace("<job:job_id>", str(secret_job.pk))
    second, nobody = client_of(bob), client_of(None)
    before = everything()

    for method in METHODS:
        refused = second.generic(method, path, b"", "application/json", headers=reader)
        unknown = nobody.generic(method, path, b"", "application/json", headers=reader)

        assert refused.status_code in REFUSED, method
        assert unknown.status_code in REFUSED | {401, 302}, method
        assert unknown.status_code != 302 or unknown["Location"].startswith("/sign-in")
        assert SECRET not in text_of(refused) + text_of(unknown), method
    assert everything() == before


@pytest.mark.parametrize("pattern", OF_A_JOB)
def test_a_hidden_job_looks_like_an_unknown_one(
    pattern: str, secret_job: DownloadJob, bob: User, settings: Any
) -> None:
    settings.HIDE_FOREIGN_JOBS = True
    client = client_of(bob)

    def ask(job_id: Any) -> tuple[int, str]:
        path = "/" + pattern.replace("<job:job_id>", str(job_id))
        answers = [client.generic(method, path, b"", "application/json") for method in METHODS]
        same = {"X-Request-ID": "same"}
        last = client.get(path, headers=same | {"Accept": "application/json"})
        return tuple(answer.status_code for answer in answers), last.content.decode()  # type: ignore[return-value]

    assert ask(secret_job.pk) == ask(uuid4())


@pytest.mark.parametrize("reader", READERS, ids=["a program", "a person"])
@pytest.mark.parametrize("pattern", OTHERS)
def test_at_an_address_without_a_job(
    pattern: str, reader: dict[str, str], secret_jobs: list[DownloadJob], bob: User
) -> None:
    client = client_of(bob)
    ids = [str(job.pk) for job in secret_jobs]

    for query in QUERIES:
        for job in secret_jobs if "{id}" in query else secret_jobs[:1]:
            asked = query.format(id=job.pk, owner=job.owner_id, secret=SECRET)
            answer = client.get(f"/{pattern}?{asked}", headers=reader)

            # The requested values may be shown.
            told = text_of(answer).replace(asked, "").replace(quote(asked), "")
            told = told.replace(f'value="{job.pk}"', "")
            assert answer.status_code < 500, asked
            assert f"{SECRET}." not in told, asked
            assert not [each for each in ids if each in told], asked


def test_lists_have_only_own_jobs(secret_jobs: list[DownloadJob], bob: User) -> None:
    mine = JobFactory(owner=bob, name=f"{SECRET} of bob.zip")

    DownloadJob.objects.update(kind="remote")
    for path in ("/v1/download/jobs", "/downloads"):
        listed = client_of(bob).get(path, {"search": SECRET}).json()["results"]

        assert [job["jobId"] for job in listed] == [str(mine.pk)], path


def test_a_foreign_idempotency_key_has_no_effect(
    secret_job: DownloadJob, bob: User, broker: Any
) -> None:
    answer = client_of(bob).post(
        "/v1/download/initiate",
        {"file_ids": [70000]},
        content_type="application/json",
        headers={"Idempotency-Key": secret_job.idempotency_key},
    )

    assert answer.status_code == 202
    assert "Idempotency-Replayed" not in answer
    assert answer.json()["jobId"] != str(secret_job.pk)


def test_a_foreign_file_looks_like_an_unknown_one(
    secret_file: StoredFile, bob: User, bucket: Any
) -> None:
    client = client_of(bob)

    def check(file_id: int) -> Any:
        body = {"file_id": file_id}
        told = client.post("/v1/download/check", body, content_type="application/json").json()
        return told | {"file_id": None}

    assert check(secret_file.file_id) == check(9_999_999)
    anonymous = Client().post(
        "/v1/download/check", {"file_id": secret_file.file_id}, content_type="application/json"
    )
    assert anonymous.json()["available"] is False


@pytest.mark.django_db(transaction=True)
def test_a_bundle_of_a_foreign_file_fails_like_one_of_an_unknown_file(
    secret_file: StoredFile, bob: User, bucket: Any
) -> None:
    def outcome(file_id: int) -> str:
        job = JobFactory(owner=bob, params={"file_ids": [file_id]})
        runner.run_job(job.pk, task_id="task", worker="worker@test")
        told = client_of(bob).get(f"/v1/download/status/{job.pk}").json()
        assert told["errorCode"] == "source_missing"
        return str(told["error"]).replace(str(file_id), "N")

    assert outcome(secret_file.file_id or 0) == outcome(9_999_999)


@pytest.mark.parametrize("see", ["/admin/", "/admin/jobs/downloadjob/", "/admin/jobs/storedfile/"])
def test_the_admin_is_for_staff(see: str, bob: User) -> None:
    answer = client_of(bob).get(see)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("verb", ["cancel", "run_again"])
@pytest.mark.parametrize(
    ("who", "status"), [("nobody", 302), ("bob", 302), ("staff without the right", 403)]
)
def test_admin_buttons_need_the_change_permission(
    verb: str, who: str, status: int, secret_job: DownloadJob, bob: User
) -> None:
    bob.is_staff = who.startswith("staff")
    bob.save()
    before = everything()
    client = client_of(None if who == "nobody" else bob)

    answer = client.post(f"/admin/jobs/downloadjob/{secret_job.pk}/{verb}")

    assert answer.status_code == status
    assert client.get(f"/admin/jobs/downloadjob/{secret_job.pk}/{verb}").status_code == 405
    assert everything() == before


def test_every_address_of_a_job_is_tried() -> None:
    assert len(OF_A_JOB) >= 12
