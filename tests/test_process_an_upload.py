"""The processing of an uploaded file by a worker."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from PIL import Image
from rest_framework.test import APIClient

from jobs import storage
from jobs.engine import expiry, garbage
from jobs.engine.heartbeat import Heartbeat
from jobs.engine.submission import resubmit_job
from jobs.errors import FORMER_JOB_CODES
from jobs.kinds.upload.previews import PreviewLimits
from jobs.lib import scratch
from jobs.models import DownloadJob, StoredFile
from jobs.states import Actor
from tests.clamd import Clamd, eicar
from tests.links import attempt
from tests.processing.hostile import encrypted_pdf
from tests.uploads import begin, in_the_bucket, picture, processed, send_chunk, sent

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("made_bucket", "broker"),
]

INFECTED = b"some words before " + eicar()


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    for prefix in ("raw/", "processed/"):
        storage.delete_all_objects_but([], prefix=prefix)


def test_a_picture_has_three_smaller_ones(client_of_alice: APIClient) -> None:
    job = processed(client_of_alice, picture(2400, 1200), "harbour.jpg")

    told = client_of_alice.get(f"/status/{job.pk}").json()

    made = told["processedFiles"]
    assert told["status"] == "completed", told
    assert set(made) == set(told["downloadUrls"]) == {"thumbnail", "medium", "large"}
    assert told["completedAt"] == told["finishedAt"]
    assert told["metadata"] == {"scanned": False, "width": 2400, "height": 1200}
    sizes = {}
    for role, file in made.items():
        stored = StoredFile.objects.get(file_id=file["fileId"])
        sizes[role] = Image.open(io.BytesIO(b"".join(storage.read_object(stored.key)))).size
        assert stored.key.startswith(f"processed/{job.pk}/1/{role}/")
        assert file["fileName"] == f"harbour {role}.jpg"
        assert file["contentType"] == "image/jpeg"
    assert sizes == {"thumbnail": (200, 200), "medium": (800, 400), "large": (1920, 960)}


def test_any_other_file_is_kept_as_it_is(client_of_alice: APIClient) -> None:
    job = processed(client_of_alice, b"name,amount\nalice,3\n", "table.csv")

    told = client_of_alice.get(f"/status/{job.pk}").json()

    assert (told["status"], told["processedFiles"]) == ("completed", {})
    assert (told["contentType"], told["size"]) == ("text/csv", 20)
    assert told["fileId"] >= 1_000_000
    assert client_of_alice.get(f"/v1/download/{job.pk}").status_code == 302


BROKEN = "The picture ends before any of it can be shown."
LOCKED = "The PDF is protected by a password."
FEW = "2,400 by 1,200 pixels are too many. Previews are made of up to 1,000 by 1,000 pixels."


@pytest.mark.parametrize(
    ("name", "make", "reason", "code"),
    [
        ("broken.png", lambda: picture(kind="PNG")[:45], BROKEN, "file_unreadable"),
        ("locked.pdf", encrypted_pdf, LOCKED, "file_encrypted"),
        ("large.jpg", lambda: picture(2400, 1200), FEW, "picture_too_large"),
    ],
)
def test_a_file_without_previews_is_kept_with_the_reason(
    client_of_alice: APIClient,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    make: Callable[[], bytes],
    reason: str,
    code: str,
) -> None:
    monkeypatch.setattr(
        "jobs.kinds.upload.previews.PreviewLimits", partial(PreviewLimits, max_pixels=1_000_000)
    )
    content = make()

    job = processed(client_of_alice, content, name)

    told = client_of_alice.get(f"/status/{job.pk}").json()
    assert (told["status"], told["processedFiles"]) == ("completed", {})
    assert told["metadata"] == {"scanned": False, "skipped": reason, "skippedCode": code}
    assert b"".join(storage.read_object(job.artifact.key)) == content
    assert client_of_alice.get(f"/v1/download/{job.pk}").status_code == 302


def test_a_file_too_large_for_previews_is_kept_with_the_reason(
    client_of_alice: APIClient, settings: Any
) -> None:
    content = picture()
    settings.PREVIEW_MAX_BYTES = len(content) - 1

    job = processed(client_of_alice, content, "harbour.jpg")

    assert (job.status, job.files.previews().count()) == ("completed", 0)
    assert job.metadata["skippedCode"] == "file_too_large"
    assert job.metadata["skipped"].startswith("The file is too large. Previews are made of files")


def test_a_broken_file_with_a_virus_is_refused(
    client_of_alice: APIClient, clamd: Clamd, settings: Any
) -> None:
    settings.CLAMD = clamd.address

    job = processed(client_of_alice, picture(kind="PNG")[:45] + INFECTED, "broken.png")

    assert (job.status, job.error_code, job.metadata) == ("failed", "infected", {})


@pytest.mark.parametrize("code", FORMER_JOB_CODES)
def test_an_upload_that_failed_without_previews_is_kept_after_a_retry(
    client_of_alice: APIClient, code: str
) -> None:
    """As left by a version that failed files without previews."""
    job = sent(client_of_alice, encrypted_pdf(), "locked.pdf")
    job.claim(task_id="task-1", worker="worker@test")
    job.fail(code, "The reason.")

    client_of_alice.post(f"/v1/download/{job.pk}/retry")

    assert attempt(job).status == "completed"


def test_an_empty_file_is_kept_and_can_be_bundled(
    client_of_alice: APIClient, clamd: Clamd, settings: Any
) -> None:
    settings.CLAMD = clamd.address

    job = processed(client_of_alice, b"", "empty.txt")

    told = client_of_alice.get(f"/status/{job.pk}").json()
    assert (told["status"], told["size"], told["contentType"]) == ("completed", 0, "text/plain")
    assert (told["metadata"], told["progress"]) == ({"scanned": True}, 1)
    response = client_of_alice.post("/v1/download/initiate", {"file_ids": [told["fileId"]]})
    zipped = attempt(DownloadJob.objects.get(pk=response.json()["jobId"]))
    with zipfile.ZipFile(io.BytesIO(b"".join(storage.read_object(zipped.artifact.key)))) as archive:
        assert [(each.filename, each.file_size) for each in archive.infolist()] == [
            ("empty.txt", 0)
        ]


def test_an_empty_file_of_a_refused_type_fails(client_of_alice: APIClient, settings: Any) -> None:
    job = sent(client_of_alice, b"", "empty.jpg")
    settings.UPLOAD_TYPES = ["image/*"]

    assert attempt(job).error_code == "type_not_allowed"


def test_the_message_says_that_the_file_is_checked(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = begin(client_of_alice, 9)
    send_chunk(client_of_alice, begun, 0, b"some text")
    said: list[str] = []
    real = Heartbeat.say
    monkeypatch.setattr(
        Heartbeat, "say", lambda heartbeat, text: (said.append(text), real(heartbeat, text))
    )

    job = attempt(DownloadJob.objects.get(pk=begun["jobId"]))

    assert job.status == "completed", job.error
    assert said == ["Checking the file", "Combining the parts", "Checking the file"]


def test_previews_can_be_bundled(client_of_alice: APIClient, alice: User) -> None:
    job = processed(client_of_alice, picture(), "harbour.jpg")
    numbers = [file.file_id for file in job.files.all()]

    response = client_of_alice.post("/v1/download/initiate", {"file_ids": numbers})
    zipped = attempt(DownloadJob.objects.get(pk=response.json()["jobId"]))

    assert len(numbers) == 4
    assert zipped.status == "completed", zipped.error


def test_the_same_content_is_processed_once(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = picture()
    first = processed(client_of_alice, content, "harbour.jpg")
    monkeypatch.setattr(
        "jobs.kinds.upload.previews.preview_maker.make_previews", None
    )  # whoever calls it fails

    second = processed(client_of_alice, content, "the same.jpg")

    assert second.status == "completed", second.error
    assert second.metadata == first.metadata
    of_both = [{file.role: file.sha256 for file in job.files.previews()} for job in (first, second)]
    assert of_both[0] == of_both[1]
    assert len(of_both[0]) == 3
    assert {file.name for file in second.files.previews()} == {
        f"the same {role}.jpg" for role in ("thumbnail", "medium", "large")
    }
    DownloadJob.objects.filter(pk=first.pk).update(expires_at=Now() - timedelta(seconds=1))
    expiry.expire_artifacts()
    garbage.collect_garbage()
    for file in second.files.all():
        assert storage.object_exists(file.key, file.size_bytes)


def test_a_preview_deleted_while_it_is_copied_is_created_again(
    client_of_alice: APIClient,
) -> None:
    content = picture()
    first = processed(client_of_alice, content)
    copied_last = first.files.previews().last()
    assert copied_last
    storage.delete_object_and_uploads(copied_last.key)

    second = processed(client_of_alice, content)

    assert (second.status, second.error_code) == ("completed", "")
    roles = sorted(file.role for file in second.files.previews())
    assert roles == ["large", "medium", "thumbnail"]


def test_skipped_previews_are_tried_again_for_the_same_content(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = picture()
    with monkeypatch.context() as patched:
        few = partial(PreviewLimits, max_pixels=100)
        patched.setattr("jobs.kinds.upload.previews.PreviewLimits", few)
        first = processed(client_of_alice, content)
    assert "skipped" in first.metadata

    second = processed(client_of_alice, content)

    assert "skipped" not in second.metadata
    assert second.files.previews().count() == 3


def test_the_same_content_of_another_user_is_processed_again(
    client_of_alice: APIClient, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = picture()
    processed(client_of_alice, content)
    client = APIClient()
    client.force_authenticate(bob)
    monkeypatch.setattr("jobs.kinds.upload.previews.preview_maker.make_previews", None)

    job = processed(client, content)

    assert (job.status, job.error_code) == ("queued", "unexpected")


def test_the_same_content_of_another_type_is_processed_again(client_of_alice: APIClient) -> None:
    content = picture()
    first = processed(client_of_alice, content)
    StoredFile.objects.filter(pk=first.artifact_id).update(content_type="text/plain")
    first.files.previews().delete()  # text has none

    second = processed(client_of_alice, content)

    assert second.files.previews().count() == 3


def test_a_file_in_quarantine_cannot_be_accessed(
    client_of_alice: APIClient, clamd: Clamd, settings: Any
) -> None:
    settings.CLAMD = clamd.address
    job = processed(client_of_alice, INFECTED)

    told = client_of_alice.get(f"/status/{job.pk}").json()

    file = StoredFile.objects.get(made_by=job)
    assert (told["status"], told["errorCode"], told["retryCount"]) == ("failed", "infected", 1)
    assert "Eicar" in told["error"]
    assert (file.role, file.file_id) == (StoredFile.Role.QUARANTINED, None)
    assert client_of_alice.get(f"/v1/download/{job.pk}").status_code == 409
    assert job.events.last().code == "infected"
    garbage.collect_garbage()
    assert in_the_bucket(f"raw/{job.pk}") == [file.key]


def test_a_file_with_a_virus_is_not_retried(
    client_of_alice: APIClient,
    client_of_operator: APIClient,
    alice: User,
    clamd: Clamd,
    settings: Any,
) -> None:
    settings.CLAMD = clamd.address
    job = processed(client_of_alice, INFECTED)
    browser = Client()
    browser.force_login(alice)

    retried = client_of_alice.post(f"/v1/download/{job.pk}/retry")
    pages = [browser.get(path) for path in ("/downloads", f"/downloads/{job.pk}")]

    assert (retried.status_code, retried.json()["code"]) == (409, "conflict")
    assert retried.json()["detail"] == "A virus was found in the file, so it cannot be retried."
    assert not [page for page in pages if "Retry" in page.content.decode()]
    job.refresh_from_db()
    assert (job.status, job.attempt) == ("failed", 1)
    assert client_of_operator.post(f"/admin/retry/{job.pk}").status_code == 202


def test_quarantine_ends(client_of_alice: APIClient, clamd: Clamd, settings: Any) -> None:
    settings.CLAMD = clamd.address
    job = processed(client_of_alice, INFECTED)
    StoredFile.objects.filter(made_by=job).update(expires_at=Now() - timedelta(seconds=1))

    assert expiry.expire_uploads() == 1
    garbage.collect_garbage()

    assert in_the_bucket(f"raw/{job.pk}") == []


def test_a_false_positive_can_be_retried(
    client_of_alice: APIClient, clamd: Clamd, settings: Any, tmp_path: Path
) -> None:
    settings.CLAMD = clamd.address
    job = processed(client_of_alice, INFECTED)
    better = Clamd(tmp_path)
    (tmp_path / "signatures/eicar.ndb").write_text(f"Another:0:*:{b'another virus'.hex()}\n")
    better.start()
    settings.CLAMD = better.address

    resubmit_job(job, Actor.OPERATOR)
    job = attempt(job)
    better.stop()

    assert job.status == "completed"


def test_without_a_scanner_a_file_stays_in_quarantine(
    client_of_alice: APIClient, clamd: Clamd, settings: Any
) -> None:
    settings.CLAMD = clamd.address
    job = processed(client_of_alice, INFECTED)
    settings.CLAMD = "off"

    resubmit_job(job, Actor.OPERATOR)
    job = attempt(job)

    assert (job.status, job.error_code) == ("failed", "infected")
    assert StoredFile.objects.get(made_by=job).role == StoredFile.Role.QUARANTINED


def test_a_file_cannot_be_accessed_while_the_scanner_is_down(
    client_of_alice: APIClient, settings: Any
) -> None:
    settings.CLAMD = "tcp://127.0.0.1:9"
    job = sent(client_of_alice, b"words")

    codes = [attempt(job).error_code for _ in range(4)]

    assert codes == ["scanner_unavailable"] * 4
    assert (job.status, job.artifact) == ("failed", None)
    assert StoredFile.objects.get(made_by=job).role == StoredFile.Role.UPLOAD


def test_a_clean_file_passes_the_scanner(
    client_of_alice: APIClient, clamd: Clamd, settings: Any
) -> None:
    unscanned = processed(client_of_alice, picture())
    settings.CLAMD = clamd.address

    job = processed(client_of_alice, picture())

    assert job.status == "completed"
    assert (unscanned.metadata["scanned"], job.metadata["scanned"]) == (False, True)


def test_a_cancelled_upload_can_be_retried_for_a_day(client_of_alice: APIClient) -> None:
    job = sent(client_of_alice, b"words")
    client_of_alice.delete(f"/v1/download/{job.pk}")
    garbage.collect_garbage()

    again = client_of_alice.post(f"/v1/download/{job.pk}/retry")

    assert again.status_code == 202
    assert attempt(job).status == "completed"


def test_a_cancelled_upload_is_deleted_after_a_day(client_of_alice: APIClient) -> None:
    job = sent(client_of_alice, b"words")
    client_of_alice.delete(f"/v1/download/{job.pk}")
    StoredFile.objects.filter(made_by=job).update(expires_at=Now() - timedelta(seconds=1))
    expiry.expire_uploads()
    garbage.collect_garbage()
    assert in_the_bucket(f"raw/{job.pk}") == []

    client_of_alice.post(f"/v1/download/{job.pk}/retry")

    job = attempt(job)
    assert (job.status, job.error_code) == ("failed", "source_missing")
    assert job.error == "The uploaded file no longer exists. Upload it again."


def test_a_file_of_another_size_than_announced_fails(client_of_alice: APIClient) -> None:
    job = sent(client_of_alice, b"words")
    StoredFile.objects.filter(made_by=job).update(size_bytes=4)

    job = attempt(job)

    assert (job.status, job.error_code) == ("failed", "source_missing")
    assert job.artifact is None


def test_an_expired_upload_leaves_nothing(client_of_alice: APIClient) -> None:
    job = processed(client_of_alice, picture())
    DownloadJob.objects.filter(pk=job.pk).update(expires_at=Now() - timedelta(seconds=1))

    expiry.expire_artifacts()
    garbage.collect_garbage()

    assert in_the_bucket(f"raw/{job.pk}") == in_the_bucket(f"processed/{job.pk}") == []
    assert job.files.count() == 0


def test_an_unknown_multipart_upload_is_deleted(client_of_alice: APIClient) -> None:
    """The store created it and the response was lost: boto repeated the request."""
    job = sent(client_of_alice, b"words")
    key = job.params["key"]
    storage.MultipartUpload.begin(key, content_type="")

    assert attempt(job).status == "completed"
    garbage.collect_garbage()

    assert in_the_bucket(f"raw/{job.pk}") == [key]


def test_a_zip_of_a_thumbnail_keeps_it(client_of_alice: APIClient) -> None:
    job = processed(client_of_alice, picture())
    soon = Now() + timedelta(hours=1)
    DownloadJob.objects.filter(pk=job.pk).update(expires_at=soon)
    StoredFile.objects.filter(made_by=job).update(expires_at=soon)
    thumbnail = job.files.get(role="thumbnail")

    client_of_alice.post("/v1/download/initiate", {"file_ids": [thumbnail.file_id]})

    job.refresh_from_db()
    assert job.expires_at - job.created_at > timedelta(hours=23)


def test_a_removed_scratch_folder_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made_and_taken(**kwargs: Any) -> str:
        folder = mkdtemp(**kwargs)
        if next(thieves, False):
            scratch._remove_if_orphaned(Path(folder))
        return folder

    thieves, mkdtemp = iter([True]), tempfile.mkdtemp
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("tempfile.mkdtemp", made_and_taken)

    made = scratch.Scratch()

    assert made.folder.is_dir()
    made.remove()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_on_the_disk(
    client_of_alice: APIClient, tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    processed(client_of_alice, picture())
    processed(client_of_alice, picture()[:5_000], "broken.jpg")

    assert list(tmp_path.iterdir()) == []
