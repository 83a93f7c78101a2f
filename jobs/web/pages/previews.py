"""What was made of an upload besides: a small picture for its row, all of it for its page.

Shown is what we made ourselves, and never what somebody sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from jobs.models import UPLOAD, DownloadJob
from jobs.states import Status
from jobs.web import wording
from jobs.web.api_responses import own_job, redirect_to
from jobs.web.pages.shared import signed_in

THUMBNAIL = 200  # pixels of its sides at most
A4 = (210, 297)  # what a page of a PDF mostly is


@dataclass(frozen=True)
class Made:
    """One file. `shape` is that of a picture: width and height, or what they are to each other."""

    role: str
    label: str
    address: str
    size: str
    file_id: int | None
    shape: tuple[int, int] | None


@require_safe
@signed_in
def file(request: HttpRequest, job_id: UUID, role: str) -> HttpResponseRedirect:
    """To the file's bytes, by an address that stays the same while presigned ones come and go."""
    job = own_job(request, job_id)
    is_there = job.status == Status.COMPLETED and role in wording.ROLES
    found = job.files.filter(role=role).first() if is_there else None
    if found is None:
        raise Http404("There is no such file.")
    return redirect_to(found, request.method or "GET")


def made_of(job: DownloadJob) -> list[Made]:
    """In the order in which people are told of it. One query at most; none for other kinds."""
    if job.kind != UPLOAD or job.status != Status.COMPLETED:
        return []
    files = {file.role: file for file in job.files.all()}
    return [
        Made(
            role=role,
            label=label,
            address=reverse("made", args=[job.pk, role]),
            size=wording.size_of(files[role].size_bytes),
            file_id=files[role].file_id,
            shape=_shape(job, role),
        )
        for role, label in wording.ROLES.items()
        if role in files
    ]


def read_ahead(jobs: Iterable[DownloadJob]) -> None:
    """In one query for all of them, or in none."""
    makers = [job for job in jobs if job.kind == UPLOAD and job.status == Status.COMPLETED]
    prefetch_related_objects(makers, "files")


def _shape(job: DownloadJob, role: str) -> tuple[int, int] | None:
    """So that nothing moves when it arrives; None for what is not shown."""
    width, height = (job.metadata.get(name, 0) for name in ("width", "height"))
    side = min(width, height, THUMBNAIL) or THUMBNAIL
    shapes = {"thumbnail": (side, side), "preview": A4, "poster": (width or 16, height or 9)}
    return shapes.get(role)
