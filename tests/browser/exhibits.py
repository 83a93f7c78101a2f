"""Sample files and downloads for screenshots, with fixed IDs and times."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import product
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.contrib.auth.models import User
from django.db.models import F
from PIL import Image, ImageDraw

from jobs.engine.statistics_recorder import StatisticsRecorder
from jobs.lib.database import database_time
from jobs.models import DownloadJob, JobEvent, Notification, ServiceProcess
from jobs.states import Status
from tests.browser.looks import job_that_is, put_off, start_again
from tests.factories import NotificationFactory, StoredFileFactory

NOW = datetime(2026, 11, 21, 14, 32, 8, tzinfo=UTC)
DAY = 24 * 3600
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

# Number: name, content type, size, age in days.
FILES: dict[int, tuple[str, str, int, int]] = {
    70_311: ("Site plan, second floor.pdf", "application/pdf", 2_412_905, 0),
    70_310: ("facade-east.jpg", "image/jpeg", 6_140_882, 0),
    70_309: ("facade-north.jpg", "image/jpeg", 5_803_117, 0),
    70_305: ("Structural report.pdf", "application/pdf", 11_316_240, 1),
    70_304: ("measurements-2026-11.csv", "text/csv", 3_208_411, 1),
    70_298: ("roof-detail.png", "image/png", 4_705_639, 2),
    70_287: ("Interview with the engineer.wav", "audio/wav", 31_752_044, 4),
    70_285: ("drone-flight-3.mp4", "video/mp4", 184_027_310, 6),
    70_284: ("drone-flight-2.mp4", "video/mp4", 171_530_002, 6),
    70_261: ("energy-model.xlsx", EXCEL, 912_448, 9),
    70_250: ("scans-2025.zip", "application/zip", 240_218_773, 12),
    70_244: ("minutes-november.txt", "text/plain", 18_092, 15),
}
GONE = 70_102


def zip_of(*numbers: int) -> dict[str, Any]:
    there = [FILES[number] for number in numbers if number in FILES]
    return {"params": {"file_ids": list(numbers)}, "total": sum(size for _, _, size, _ in there)}


@dataclass(frozen=True)
class Exhibit:
    look: str
    name: str
    fields: dict[str, Any]  # fields of the job
    ages: list[int]  # seconds since each event of its history
    changes: dict[str, Any] = field(default_factory=dict)


UNDER_WAY = {
    "done": 17_612_044,
    "progress": 0.578,
    "speed": 2_201_505,
    "message": "Adding 4 of 5: facade-east.jpg",
}
EXHIBITS = [
    Exhibit("queued", "Everything for the tender.zip", zip_of(*FILES), [3]),
    Exhibit(
        "working",
        "For the site meeting.zip",
        zip_of(70_305, 70_298, 70_304, 70_310, 70_311),
        [9, 8],
        UNDER_WAY,
    ),
    Exhibit(
        "waiting",
        "Drone flights.zip",
        zip_of(70_285, 70_284),
        [66, 65, 56, 55, 42, 37, 6],
        {"available_at": NOW + timedelta(seconds=24)},
    ),
    Exhibit("ready", "Facade, all sides.zip", zip_of(70_310, 70_309, 70_298), [1260, 1259, 1254]),
    Exhibit(
        "failed",
        "Survey of the roof.zip",
        zip_of(70_298, 70_304, GONE),
        [5400, 5399, 5398],
        {"error": f"File {GONE} could not be found."},
    ),
    Exhibit("cancelled", "Old scans.zip", zip_of(70_250), [7300, 7299, 7280]),
    Exhibit("ready", "Reports.zip", zip_of(70_305, 70_261), [DAY + 8200, DAY + 8199, DAY + 8197]),
    Exhibit(
        "expired", "October.zip", zip_of(70_244), [33 * DAY, 33 * DAY - 1, 33 * DAY - 2, 3 * DAY]
    ),
]

# Shown on a page of its own, not in the list.
LINK = Exhibit(
    "working",
    "hall-3-point-cloud.e57",
    {
        "kind": "remote",
        "params": {"url": "https://scans.example.org/tower/hall-3-point-cloud.e57", "threads": 4},
        "total": 2_418_003_968,
    },
    [41, 40],
    {
        "done": 851_443_712,
        "progress": 0.352,
        "speed": 21_390_112,
        "threads": 4,
        "message": "Fetching from scans.example.org",
    },
)

UPLOAD = Exhibit(
    "ready",
    "facade-east.jpg",
    {"kind": "upload", "params": {}, "total": 6_140_882},
    [74, 73, 70],
    {"metadata": {"width": 4032, "height": 3024}},
)
# A running upload: its size, and the bytes sent at two times.
SENDING = {
    "Drone flight 20 November.mp4": (24_310_000, 800_000, 14_110_000),
    "Offer, signed.pdf": (6_204_113, 200_000, 1_602_000),
}


def facade() -> bytes:
    """Return the thumbnail: a house under a sky."""
    picture = Image.new("RGB", (200, 200), "#a9c9e6")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((36, 60, 164, 200), fill="#d8c3a5")
    draw.polygon([(24, 62), (100, 14), (176, 62)], fill="#8c4a3c")
    for left, top in product((54, 90, 126), (80, 118, 156)):
        draw.rectangle((left, top, left + 20, top + 24), fill="#4d5d6c", outline="#f4efe6", width=2)
    content = BytesIO()
    picture.save(content, "JPEG", quality=90)
    return content.getvalue()


def fill(owner: User) -> dict[str, DownloadJob]:
    """Create the sample files and downloads. Returns the downloads by state."""
    for number, (name, content_type, size, days) in FILES.items():
        StoredFileFactory(
            file_id=number,
            name=name,
            content_type=content_type,
            size_bytes=size,
            created_at=NOW - timedelta(days=days, minutes=47 + number % 7),
        )
    return {exhibit.look: show(exhibit, owner) for exhibit in reversed(EXHIBITS)}


def show(exhibit: Exhibit, owner: User) -> DownloadJob:
    job = job_that_is(
        exhibit.look,
        owner,
        id=uuid5(NAMESPACE_URL, exhibit.name),
        name=exhibit.name,
        **exhibit.fields,
    )
    while job.events.count() < len(exhibit.ages):  # this one failed more than once
        start_again(job)
        put_off(job)
    times = [NOW - timedelta(seconds=age) for age in exhibit.ages]
    for line, at in zip(job.events.all(), times, strict=True):
        job.events.filter(pk=line.pk).update(at=at)
    DownloadJob.objects.filter(pk=job.pk).update(**_times(job) | exhibit.changes)
    return job


def show_upload(owner: User) -> DownloadJob:
    """Create a completed upload, with the sizes of its previews."""
    job = show(UPLOAD, owner)
    sizes = {"artifact": 6_140_882, "thumbnail": 9_204, "medium": 78_311, "large": 391_480}
    for number, (role, size) in enumerate(sizes.items(), 1_000_041):
        job.files.filter(role=role).update(size_bytes=size, file_id=number)
    return job


def _times(job: DownloadJob) -> dict[str, Any]:
    """Return the fields of the row with the times of its history."""
    at = {line.event: line.at for line in job.events.all()}
    finished = at.get("succeed") or at.get("fail") or at.get("cancel")
    return {
        "created_at": at["submit"],
        "available_at": at["submit"],
        "started_at": at.get("claim"),
        "finished_at": finished,
        "lease_until": NOW + timedelta(minutes=1) if job.status == Status.PROCESSING else None,
        "expires_at": finished + timedelta(days=30) if finished and job.artifact_id else None,
    }


def show_admin(owner: User) -> dict[str, str]:
    """Create what operators see. Returns the paths of the admin's lists and of a job."""
    jobs = fill(owner)
    for exhibit in (LINK, UPLOAD):
        show(exhibit, owner)
    for state, look in (("sent", "ready"), ("failed", "failed"), ("waiting", "cancelled")):
        NotificationFactory(
            id=uuid5(NAMESPACE_URL, state),
            job=jobs[look],
            owner=owner,
            to="https://hooks.example.org/downloads",
            state=state,
            created_at=NOW,
            due_at=NOW + timedelta(minutes=5),
            sent_at=NOW if state == "sent" else None,
            tries={"sent": 1, "failed": 5, "waiting": 2}[state],
            error="" if state == "sent" else "hooks.example.org returned 503.",
        )
    admin = "/admin/jobs"
    return {
        "jobs": f"{admin}/downloadjob/",
        "job": f"{admin}/downloadjob/{jobs['failed'].pk}/change/",
        "files": f"{admin}/storedfile/",
        "notifications": f"{admin}/notification/",
    }


def show_running_service() -> None:
    """Report a worker and a dispatcher, and shift all times to those of the database.

    The overview counts from these, so its pictures differ from run to run.
    """
    shift = database_time() - NOW
    times = ["created_at", "available_at", "started_at", "finished_at", "lease_until", "expires_at"]
    DownloadJob.objects.update(**{name: F(name) + shift for name in times})
    JobEvent.objects.update(at=F("at") + shift)
    Notification.objects.update(due_at=F("due_at") + shift)
    StatisticsRecorder()()
    ServiceProcess.objects.report("worker", "worker@test", slots=4)
    ServiceProcess.objects.report("dispatcher", "dispatcher@test", tick_seconds=0.004)
