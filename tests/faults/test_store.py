"""Uploads, sources and finished files while the file store breaks."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.core.files.base import ContentFile

from jobs import storage
from jobs.models import DownloadJob, JobEvent, StoredFile
from tests.faults.rig import Rig
from tests.live import until

SMALL, FILM, ARCHIVE = 70000, 70002, 70003  # 20 kB, 3 MB, and 40 MB in five parts
PART_BYTES = storage.MIN_PART_BYTES


@pytest.mark.long
def test_store_killed_during_an_upload(service: Rig) -> None:
    """The file store is killed in the middle of an upload and restarted 3 s later."""
    service.worker()
    service.lines["S3"].throttle(8_000_000)
    job_id = upload_under_way(service)

    service.restart("S3", 3)
    service.lines["S3"].pass_on()
    service.figure("until it was done", service.timed(service.all_final, 100), bound=60)

    service.figure("attempts", attempts(job_id), bound=4, unit="attempts")
    service.judge()
    assert attempts(job_id) > 1


@pytest.mark.long
def test_store_down_until_no_retry_is_left(service: Rig) -> None:
    """The file store refuses connections in the middle of an upload, until no retry is left."""
    service.worker()
    line = service.lines["S3"]
    line.throttle(8_000_000)
    job_id = upload_under_way(service)
    line.refuse()

    waiting = service.wait_for(job_id, "queued")
    job = service.wait_for(job_id, "failed", seconds=120)
    assert open_uploads(job_id)
    line.pass_on()

    service.figure("attempts", job["attempts"], bound=4, unit="attempts")
    service.judge(outcomes={"failed"})
    assert job["errorCode"] == "storage_unavailable"
    assert waiting["retryAt"]
    assert waiting["lastError"] == "The file store could not be reached."
    assert service.story(job_id).count("retry 2 storage_unavailable worker") == 1


@pytest.mark.long
def test_store_frozen(service: Rig) -> None:
    """The file store is frozen for 25 s in the middle of two uploads; one is cancelled."""
    service.worker()
    line = service.lines["S3"]
    line.throttle(8_000_000)
    patient, cancelled = upload_under_way(service), upload_under_way(service)
    waiting = service.initiate(SMALL)
    line.freeze()
    frozen_at = time.monotonic()
    assert service.status(waiting)["status"] == "queued"

    began = time.monotonic()
    assert service.cancel(cancelled) == 200
    answered = time.monotonic() - began
    next_one = DownloadJob.objects.filter(pk=waiting, status="processing")
    service.figure(
        "until the cancelled job's slot was free", service.timed(next_one.exists), bound=5
    )
    service.figure("cancel was answered in", answered, bound=1)
    time.sleep(max(0, frozen_at + 25 - time.monotonic()))
    line.pass_on()
    service.figure("until all was done", service.timed(service.all_final, 120), bound=60)

    service.judge(outcomes={"completed", "cancelled"})
    assert service.status(patient)["status"] == "completed"
    assert service.status(waiting)["status"] == "completed"


@pytest.mark.long
def test_store_slow_beyond_the_time_limit(rig: Rig) -> None:
    """The store transfers 20 kB/s; a job of 3 MB may take 6 s, of which 3 s for its bytes."""
    rig.env |= {"JOB_TIME_LIMIT_SECONDS": "6", "KILL_AFTER_SECONDS": "2"}
    rig.start("dispatcher")
    rig.start("web")
    rig.worker()
    rig.lines["S3"].throttle(20_000)
    job_id = rig.initiate(FILM)

    rig.wait_for(job_id, "processing")
    took = rig.timed(rig.all_final)
    rig.lines["S3"].pass_on()
    rig.initiate(FILM)

    rig.figure("time over the limit", max(0, took - 9), bound=3)
    rig.judge(outcomes={"failed", "completed"})
    job = rig.status(job_id)
    assert (job["status"], job["errorCode"], job["attempts"]) == ("failed", "timeout", 1)
    assert rig.statuses() == {"failed": 1, "completed": 1}


@pytest.mark.long
def test_store_returns_errors(service: Rig) -> None:
    """The file store returns 503 SlowDown for 30 % of the requests while 6 jobs run."""
    service.worker()
    line = service.lines["S3"]
    line.answer_errors(0.3, seed=1)
    service.initiate(ARCHIVE)
    for _ in range(5):
        service.initiate(SMALL, FILM)
    service.figure("until all were done", service.timed(service.all_final, 120), bound=90)
    errors = line.errors_answered

    service.figure("errors answered", errors, bound=None, unit="errors")
    service.judge()  # the collector gets these errors, too
    assert errors > 3


@pytest.mark.long
def test_store_connection_reset_in_an_upload(service: Rig) -> None:
    """The connection is reset in the middle of a part of an upload."""
    service.worker()
    line = service.lines["S3"]
    line.cut_after(PART_BYTES // 2, "server", times=2)
    before = line.connections
    job_id = service.initiate(ARCHIVE)
    service.figure("until it was done", service.timed(service.all_final, 100), bound=40)

    service.figure("attempts", attempts(job_id), bound=2, unit="attempts")
    assert line.connections > before + 3
    service.judge()


@pytest.mark.long
def test_store_connection_reset_in_a_download(service: Rig) -> None:
    """The connection is reset while a source is read."""
    service.worker()
    service.lines["S3"].cut_after(20_000_000, "client")
    job_id = service.initiate(ARCHIVE)
    service.figure("until it was done", service.timed(service.all_final, 100), bound=40)

    service.judge()
    assert "retry 1 storage_unavailable worker" in service.story(job_id)


@pytest.mark.long
def test_store_connections_reset(service: Rig) -> None:
    """The connections to the file store are reset 17 times in 5 s, while jobs run."""
    service.worker()
    line = service.lines["S3"]
    line.throttle(16_000_000)
    service.initiate(ARCHIVE)
    service.initiate(FILM)
    for _ in range(17):
        time.sleep(0.3)
        line.reset()
    line.pass_on()
    service.figure("until all were done", service.timed(service.all_final, 100), bound=60)

    service.judge()
    assert JobEvent.objects.filter(event="retry", code="storage_unavailable").exists()


@pytest.mark.long
def test_worker_killed_in_an_upload(service: Rig) -> None:
    """The worker is killed after the second part of an upload; another one runs."""
    worker = service.worker()
    service.lines["S3"].throttle(8_000_000)
    job_id = upload_under_way(service, parts=2)

    service.kill(worker)
    assert open_uploads(job_id)
    service.lines["S3"].pass_on()
    service.worker()
    service.figure("until it was done", service.timed(service.all_final, 60), bound=30)

    service.judge()  # no upload of the first attempt is open any more
    assert attempts(job_id) == 2


@pytest.mark.long
def test_worker_dies_before_success(service: Rig) -> None:
    """A pool process ends after the file is stored and before the row is updated."""
    service.worker(SABOTAGE="die_before_success")
    job_id = service.initiate(FILM)
    until((service.folder / "died").exists)
    rescued = DownloadJob.objects.filter(pk=job_id, losses=1)
    service.figure("until it was queued again", service.timed(rescued.exists), bound=2)

    service.judge()  # the first attempt's object is collected, the second's stays
    assert service.story(job_id)[1:] == [
        "claim 1 worker",
        "rescue 1 worker_lost worker",
        "claim 2 worker",
        "succeed 2 worker",
    ]


def test_worker_dies_after_success(service: Rig) -> None:
    """A pool process ends after the success is recorded and before Celery is told."""
    service.worker(SABOTAGE="die_after_success")
    job_id = service.initiate(FILM)
    service.figure("until it was done", service.timed(service.all_final), bound=15)
    until((service.folder / "died").exists)
    after = service.initiate(SMALL)
    service.wait_for(after, "completed")

    service.judge()
    assert service.story(job_id)[1:] == ["claim 1 worker", "succeed 1 worker"]


@pytest.mark.long
def test_source_deleted(service: Rig) -> None:
    """A source is deleted from the bucket after the request."""
    job_id = service.initiate(SMALL, FILM)
    bucket().delete(key_of(FILM))
    service.worker()
    job = service.wait_for(job_id, "failed")

    service.figure("attempts", job["attempts"], bound=1, unit="attempts")
    service.judge(outcomes={"failed"})
    assert job["errorCode"] == "source_missing"
    assert job["error"] == "File 70002 could not be found."


def test_source_replaced(service: Rig) -> None:
    """Sources are replaced by the same number of bytes, by fewer, and by more."""
    film = StoredFile.objects.get(file_id=FILM)
    small = StoredFile.objects.get(file_id=SMALL)
    empty = StoredFile.objects.get(file_id=70001)
    job_ids = [service.initiate(file_id) for file_id in (FILM, SMALL, 70001)]
    bucket().save(film.key, ContentFile(bytes(film.size_bytes)))
    bucket().save(small.key, ContentFile(b"%PDF"))
    bucket().save(empty.key, ContentFile(b"not empty"))
    service.worker()
    jobs = [service.wait_for(job_id, "failed") for job_id in job_ids]

    service.figure("attempts", max(job["attempts"] for job in jobs), bound=1, unit="attempts")
    service.judge(outcomes={"failed"})  # and nothing is stored
    assert {job["errorCode"] for job in jobs} == {"source_changed"}


@pytest.mark.long
def test_store_denies_access(service: Rig) -> None:
    """The file store returns 403 AccessDenied for a while, as after a change of keys."""
    job_id = refuse_all(service, status=403, code="AccessDenied")
    job = service.wait_for(job_id, "queued")
    assert job["lastError"] == "The file store refused a request."

    assert_done_once_it_passes(service, job_id)


@pytest.mark.long
def test_store_full(service: Rig) -> None:
    """The file store returns 507 for a while, as with a full disk."""
    assert_done_once_it_passes(service, refuse_all(service, status=507, code="InsufficientStorage"))


def refuse_all(service: Rig, *, status: int, code: str) -> str:
    """Refuse every request until a second attempt has begun. Returns the job id."""
    service.worker()
    line = service.lines["S3"]
    line.answer_errors(1.0, seed=1, status=status, code=code)
    job_id = service.initiate(FILM)
    until(lambda: attempts(job_id) == 2)
    assert line.errors_answered >= 2
    return job_id


def assert_done_once_it_passes(service: Rig, job_id: str) -> None:
    service.lines["S3"].pass_on()
    service.figure("until it was done", service.timed(service.all_final), bound=15)
    service.judge()
    assert service.story(job_id)[2] == "retry 1 storage_unavailable worker"


@pytest.mark.long
def test_artifact_deleted(service: Rig) -> None:
    """A finished file is deleted from the bucket."""
    service.worker()
    job_id = service.initiate(FILM)
    service.wait_for(job_id, "completed")
    key = str(DownloadJob.objects.get(pk=job_id).artifact.key)
    content = b"".join(storage.read_object(key))

    bucket().delete(key)
    gone = service.ask(f"/v1/download/{job_id}")
    bucket().save(key, ContentFile(content))
    back = service.ask(f"/v1/download/{job_id}")

    service.figure("status of GET", gone.status_code, bound=None, unit="")
    assert (gone.status_code, gone.json()["code"]) == (410, "artifact_gone")
    assert back.status_code == 302
    service.judge()


@pytest.mark.long
def test_store_frozen_while_polled(service: Rig) -> None:
    """The file store is frozen while finished and waiting jobs are polled."""
    service.worker()
    job_id = service.initiate(FILM)
    service.wait_for(job_id, "completed")
    assert service.ask("/health").status_code == 200
    service.lines["S3"].freeze()

    polls = [timed_ask(service, f"/v1/download/status/{job_id}") for _ in range(5)]
    posted = service.post(SMALL)
    downloads = [timed_ask(service, f"/v1/download/{job_id}") for _ in range(2)]
    healths = [timed_ask(service, "/health") for _ in range(2)]
    service.lines["S3"].pass_on()

    service.figure("slowest poll", max(took for took, _ in polls), bound=1)
    service.figure("slowest GET of the file", max(took for took, _ in downloads), bound=4.5)
    service.figure("slowest /health", max(took for took, _ in healths), bound=4)
    service.figure_of_posts(3)
    assert {answer.status_code for _, answer in polls} == {200}
    assert {answer.status_code for _, answer in downloads} == {503}
    assert [answer.json()["checks"]["storage"] for _, answer in healths] == ["error", "error"]
    assert posted.status_code == 202
    service.judge()


def upload_under_way(service: Rig, *, parts: int = 1) -> str:
    """Return a job that has stored so many parts of its upload, and has more to store."""
    job_id = service.initiate(ARCHIVE)

    def stored() -> bool:
        uploads = open_uploads(job_id)
        return bool(uploads) and len(parts_of(uploads[0])) >= parts

    until(stored, 30, service.logs)
    return job_id


def open_uploads(job_id: str) -> list[dict[str, str]]:
    return list(storage.list_open_uploads(f"results/{job_id}/"))


def parts_of(upload: dict[str, str]) -> list[Any]:
    target = {"Bucket": bucket().bucket_name, "Key": upload["Key"], "UploadId": upload["UploadId"]}
    return list(bucket().client.list_parts(**target).get("Parts", []))


def bucket() -> storage.BucketStorage:
    return storage.bucket()


def key_of(file_id: int) -> str:
    return str(StoredFile.objects.get(file_id=file_id).key)


def attempts(job_id: str) -> int:
    return int(DownloadJob.objects.get(pk=job_id).attempt)


def timed_ask(service: Rig, path: str) -> tuple[float, Any]:
    began = time.monotonic()
    answer = service.ask(path)
    return time.monotonic() - began, answer
