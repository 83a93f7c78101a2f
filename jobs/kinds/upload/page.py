"""The parts of an upload's page."""

from __future__ import annotations

from django.urls import reverse

from jobs.errors import NOT_RUN_AGAIN
from jobs.kinds.page_parts import Contents, Detail, Remedy
from jobs.kinds.upload.previews.sizes import LARGE, THUMBNAIL, size_inside
from jobs.lib.file_size import file_size_text
from jobs.models import DownloadJob
from jobs.states import Status

A4 = (210, 297)  # the shape of most PDF pages
# Errors that only uploading the file again may fix.
WRONG_FILE = {
    "not_scanned",
    "type_not_allowed",
    "checksum_mismatch",
    "source_missing",
    "source_changed",
}


def upload_page_contents(job: DownloadJob) -> Contents:
    facts = [Detail("Name", job.name)]
    if job.total is not None:
        facts.append(Detail("Size", file_size_text(job.total)))
    return Contents("The file", facts=tuple(facts))


def upload_page_remedy(job: DownloadJob) -> Remedy | None:
    if job.error_code in NOT_RUN_AGAIN:
        return Remedy("Upload another file", reverse("upload"))
    helps = job.status == Status.EXPIRED or job.error_code in WRONG_FILE
    return Remedy("Upload again", reverse("upload")) if helps else None


def upload_page_picture_shape(job: DownloadJob, role: str) -> tuple[int, int] | None:
    """Return the shape of a preview that is a picture."""
    width, height = (job.metadata.get(name, 0) for name in ("width", "height"))
    side = min(width, height, THUMBNAIL) or THUMBNAIL
    shapes = {"thumbnail": (side, side), "preview": A4, "poster": (width or 16, height or 9)}
    if width and height:
        shapes["large"] = size_inside((width, height), (LARGE, LARGE))
    return shapes.get(role)
