"""Jobs in each state that the pages show, reached by real transitions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page

from jobs.models import DownloadJob
from jobs.states import Actor
from tests.factories import LINK, ArtifactFactory, make_of, new_job

STORE_DOWN = ("storage_unavailable", "The file store could not be reached.")
BROKEN = ("file_unreadable", "The picture is damaged or incomplete.")
MISSING = ("source_missing", "File 70004 could not be found.")
LATER_SECONDS = 1800
REFUSED = ("remote_refused", "data.example.org returned 404.")
FETCHED_BYTES = 3_100_000
# Fields of a job that fetches a link of unknown size.
LINK_FIELDS: dict[str, Any] = {
    "kind": "remote",
    "params": {"url": LINK, "threads": 4},
    "total": None,
}
REPORT_FIELDS: dict[str, Any] = {
    "kind": "report",
    "params": {"period": "30d", "format": "pdf", "everybody": False},
    "name": "Report.pdf",
    "unit": "jobs",
    "total": 3_400,
}
UPLOAD_FIELDS: dict[str, Any] = {
    "kind": "upload",
    "params": {},
    "name": "facade-east.jpg",
    "total": 6_140_882,
}


def job_that_is(look: str, owner: User, **fields: Any) -> DownloadJob:
    """Create a job in the given state, a bundle unless `fields` change it."""
    zipped = {"kind": "bundle", "name": f"{look.capitalize()}.zip", "total": 1_000_000}
    zipped["params"] = {"file_ids": [70_000, 70_001, 70_002]}
    job = new_job(owner=owner, **zipped | fields)
    LOOKS[look](job)
    return job


def look(tab: Page) -> None:
    """Poll now, as a page does when it is online again."""
    tab.evaluate("dispatchEvent(new Event('online'))")


def start(job: DownloadJob) -> None:
    job.claim(task_id=str(job.pk), worker="worker@test")


def advance(job: DownloadJob) -> None:
    if job.kind == "remote":
        message = "Fetching from data.example.org"
        job.heartbeat(done=FETCHED_BYTES, message=message, speed=5_200_000, threads=4)
    elif job.kind == "upload":
        job.heartbeat(done=(job.total or 0) * 2 // 5, message="Checking it for viruses")
    elif job.kind == "report":
        job.heartbeat(done=1_200, message="Reading the jobs: 1,200 of 3,400", speed=600)
    else:
        job.heartbeat(done=(job.total or 0) * 2 // 5, message="Adding 2 of 3: interview.wav")


def put_off(job: DownloadJob) -> None:
    job.retry(*STORE_DOWN, after_seconds=LATER_SECONDS)


def start_again(job: DownloadJob) -> None:
    """Start a job that was delayed."""
    due = DownloadJob.objects.filter(pk=job.pk)
    due.update(available_at=timezone.now())
    start(job)


def succeed(job: DownloadJob) -> None:
    artifact = ArtifactFactory.build(
        owner=job.owner, made_by=job, name=job.name, size_bytes=job.total or FETCHED_BYTES
    )
    if job.kind != "bundle":
        artifact.take_number()
    job.succeed(artifact)
    if job.kind == "upload":
        DownloadJob.objects.filter(pk=job.pk).update(metadata={"width": 4032, "height": 3024})
        for role in ("thumbnail", "medium", "large"):
            make_of(job, role)


def schedule(job: DownloadJob) -> None:
    later = timezone.now() + timedelta(days=2)
    DownloadJob.objects.filter(pk=job.pk).update(run_at=later, available_at=later)


def hold(job: DownloadJob) -> None:
    """Make the job depend on two others, one of which is ready."""
    for look in ("queued", "ready"):
        job.after.add(job_that_is(look, job.owner))
    DownloadJob.objects.filter(pk=job.pk).update(held=True)


def _fail(job: DownloadJob) -> None:
    job.fail(*{"remote": REFUSED, "upload": BROKEN}.get(job.kind, MISSING))


def _fall_silent(job: DownloadJob) -> None:
    ended = timezone.now() - timedelta(seconds=8)
    DownloadJob.objects.filter(pk=job.pk).update(lease_until=ended)


def _outlive(job: DownloadJob) -> None:
    DownloadJob.objects.filter(pk=job.pk).update(expires_at=timezone.now())
    job.expire()


def _after(*moves: Callable[[DownloadJob], Any]) -> Callable[[DownloadJob], None]:
    def make(job: DownloadJob) -> None:
        for move in moves:
            move(job)

    return make


LOOKS: dict[str, Callable[[DownloadJob], None]] = {
    "queued": _after(),
    "held": _after(hold),
    "scheduled": _after(schedule),
    "working": _after(start, advance),
    "stalled": _after(start, advance, _fall_silent),
    "waiting": _after(start, advance, put_off),
    "ready": _after(start, advance, succeed),
    "failed": _after(start, advance, _fail),
    "cancelled": _after(start, advance, lambda job: job.cancel(Actor.OWNER)),
    "expired": _after(start, advance, succeed, _outlive),
}
