"""The previews of an upload: one picture in its row, all of them on its page.

Pages never show the uploaded file itself.
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
from jobs.web.api_responses import own_job, redirect_to_file
from jobs.web.pages.access import sign_in_required

THUMBNAIL_PIXELS = 200  # the longest side
A4 = (210, 297)  # the shape of most PDF pages


@dataclass(frozen=True)
class PreviewView:
    """One file. `shape` is the width and height of a picture, or their ratio; None for others."""

    role: str
    label: str
    address: str
    size: str
    file_id: int | None
    shape: tuple[int, int] | None


@require_safe
@sign_in_required
def file(request: HttpRequest, job_id: UUID, role: str) -> HttpResponseRedirect:
    """Redirect to the file. Unlike presigned URLs, this URL stays the same."""
    job = own_job(request, job_id)
    is_ready = job.status == Status.COMPLETED and role in wording.ROLES
    found = job.files.filter(role=role).first() if is_ready else None
    if found is None:
        raise Http404("This file does not exist.")
    return redirect_to_file(found, request.method or "GET")


def previews_of(job: DownloadJob) -> list[PreviewView]:
    """Return the previews in the order of ROLES. Makes one query, only for a ready upload."""
    if job.kind != UPLOAD or job.status != Status.COMPLETED:
        return []
    files = {file.role: file for file in job.files.all()}
    return [
        PreviewView(
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


def prefetch_previews(jobs: Iterable[DownloadJob]) -> None:
    """Read the files of all ready uploads in one query."""
    uploads = [job for job in jobs if job.kind == UPLOAD and job.status == Status.COMPLETED]
    prefetch_related_objects(uploads, "files")


def _shape(job: DownloadJob, role: str) -> tuple[int, int] | None:
    """Return the shape of a picture, to reserve its space; None for a file that is not shown."""
    width, height = (job.metadata.get(name, 0) for name in ("width", "height"))
    side = min(width, height, THUMBNAIL_PIXELS) or THUMBNAIL_PIXELS
    shapes = {"thumbnail": (side, side), "preview": A4, "poster": (width or 16, height or 9)}
    return shapes.get(role)
