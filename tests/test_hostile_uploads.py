"""Hostile files uploaded to the real service: the outcome of each job, and the worker survives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from jobs import storage
from jobs.engine import garbage
from jobs.models import DownloadJob, IncomingUpload, StoredFile
from tests.clamd import Clamd, eicar
from tests.live import Live, children, on_this_database, until
from tests.processing import ffmpeg
from tests.processing.hostile import HOSTILE, MADE
from tests.uploads import in_the_bucket

pytestmark = pytest.mark.django_db(transaction=True)

# A few of each sort; tests/processing/test_hostile_files.py has all of them and their outcomes.
# Here each file is kept; files of another type than they claim are kept with their real type.
NAMES = [
    "png-of-50000-by-50000",
    "png-text-bomb",
    "png-with-more-than-its-pixels",
    "jpeg-broken-off",
    "jpeg-that-is-html",
    "gif-larger-than-it-says",
    "gif-that-is-javascript",
    "webp-of-16384-by-16384",
    "avif-broken-off",
    "pdf-broken-off",
    "pdf-with-a-password",
    "pdf-of-one-page-a-million-times",
    "pdf-contents-bomb",
    "pdf-that-is-a-zip",
    "text-as-jpeg",
    "script-as-png",
]
VIDEOS = ["mp4-broken-off", "raw-avi-of-16000-by-16000", "playlist-as-mp4"]
KEPT = {"text-as-jpeg": "text/plain", "script-as-png": "image/svg+xml"}
KEPT |= {"playlist-as-mp4": "application/vnd.apple.mpegurl"}

POOL = 2  # processes of a worker in tests/live.py


@pytest.fixture
def live(tmp_path: Path, alice: User, made_bucket: None) -> Iterator[Live]:
    live = Live(tmp_path, on_this_database() | {"CLAMD": "off"})
    try:
        live.start("dispatcher")
        live.start("web")
        live.sign_in(alice)
        yield live
    finally:
        live.stop()
        for prefix in ("raw/", "processed/"):
            storage.delete_all_objects_but([], prefix=prefix)


def send(live: Live, name: str, content: bytes) -> str:
    form = {"file": (name, content, "image/jpeg")}
    answer = live.session.post(f"{live.url}/upload", files=form, timeout=30)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["jobId"])


@pytest.mark.parametrize("names", [NAMES, VIDEOS], ids=["pictures and documents", "videos"])
def test_each_has_its_outcome_and_the_worker_survives(live: Live, names: list[str]) -> None:
    if names is VIDEOS:
        ffmpeg.needed()
    pid = live.start("worker").popen.pid
    until(lambda: len(children(pid)) == POOL, 30, live.logs)
    pool = children(pid)

    ids = {name: send(live, name, HOSTILE[name].make()) for name in names}
    until(lambda: not DownloadJob.objects.unfinished().exists(), 120, live.logs)

    jobs = {name: DownloadJob.objects.get(pk=ids[name]) for name in names}
    assert {job.status for job in jobs.values()} == {"completed"}, live.logs()
    ended = {name: job.metadata.get("skippedCode", MADE) for name, job in jobs.items()}
    assert ended == {name: MADE if name in KEPT else HOSTILE[name].ends for name in names}
    assert all(job.metadata["skipped"] for job in jobs.values() if "skippedCode" in job.metadata)
    assert {job.attempt for job in jobs.values()} == {1}
    assert children(pid) == pool, "no process of the worker had to be replaced"
    for name in KEPT.keys() & jobs.keys():
        assert jobs[name].artifact.content_type == KEPT[name]
        assert not jobs[name].files.previews().exists()
    assert_no_strays()


def assert_no_strays() -> None:
    """Check that the bucket has only objects with rows, and no unfinished ones."""
    garbage.collect_garbage()
    known = set(StoredFile.objects.values_list("key", flat=True))
    jobs = DownloadJob.objects.values_list("pk", flat=True)
    there = [
        key
        for job in jobs
        for top in ("raw", "processed")
        for key in in_the_bucket(f"{top}/{job}/")
    ]
    assert sorted(there) == sorted(known)
    assert not IncomingUpload.objects.exists()


def test_a_virus_is_detected_by_the_service(live: Live, clamd: Clamd) -> None:
    live.start("worker", CLAMD=clamd.address)

    job = live.wait_for(send(live, "invoice.pdf", b"Dear reader, " + eicar()), "failed")

    assert job["errorCode"] == "infected"
    assert "downloadUrl" not in job
    for address in (f"/v1/download/{job['jobId']}", f"/v1/download/result/{job['jobId']}"):
        assert live.session.get(f"{live.url}{address}", timeout=10).status_code == 409
    file = StoredFile.objects.get(made_by=job["jobId"])
    assert (file.role, file.file_id) == (StoredFile.Role.QUARANTINED, None)
    assert "infected" in live.processes[-1].log.read_text()
