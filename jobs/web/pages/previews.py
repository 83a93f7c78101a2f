"""The files attached to an artifact, such as the previews of an upload.

The smallest picture is in the row of its job, the largest one on its page, which lists all files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob
from jobs.states import Status
from jobs.web import wording
from jobs.web.own_job import own_job
from jobs.web.pages.access import sign_in_required
from jobs.web.result_files import redirect_to_file


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
def preview_file(request: HttpRequest, job_id: UUID, role: str) -> HttpResponseRedirect:
    """Redirect to the file. Unlike presigned URLs, this URL stays the same."""
    job = own_job(request, job_id)
    is_ready = job.status == Status.COMPLETED and role in KINDS[job.kind].roles
    found = job.files.filter(role=role).first() if is_ready else None
    if found is None:
        raise Http404("This file does not exist.")
    return redirect_to_file(found, request.method or "GET")


def previews_of(job: DownloadJob) -> list[PreviewView]:
    """Return the previews in the order of the kind's roles. Makes at most one query."""
    if not _may_have_previews(job):
        return []
    kind = KINDS[job.kind]
    files = {file.role: file for file in job.files.all()}
    return [
        PreviewView(
            role=role,
            label=label,
            address=reverse("made", args=[job.pk, role]),
            size=wording.file_size_text(files[role].size_bytes),
            file_id=files[role].file_id,
            shape=kind.picture_shape(job, role),
        )
        for role, label in kind.roles.items()
        if role in files
    ]


def largest_picture(previews: Iterable[PreviewView]) -> PreviewView | None:
    """Return the last picture: kinds list theirs by size."""
    return next((each for each in reversed([*previews]) if each.shape), None)


def prefetch_previews(jobs: Iterable[DownloadJob]) -> None:
    """Read the files of all jobs that may have previews in one query."""
    prefetch_related_objects([job for job in jobs if _may_have_previews(job)], "files")


def _may_have_previews(job: DownloadJob) -> bool:
    return job.status == Status.COMPLETED and bool(KINDS[job.kind].roles)
