"""The page where files are uploaded. Sending them is upload.js's business, and the API's."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from jobs import wording
from jobs.pages.shared import page, signed_in

EVERYTHING = "*/*"
TYPES = {
    "application/pdf": "PDF",
    "audio/*": "sound",
    "image/*": "pictures",
    "text/*": "text",
    "video/*": "videos",
}


@require_safe
@signed_in
def upload(request: HttpRequest) -> HttpResponse:
    return form(request)


def form(
    request: HttpRequest, errors: dict[str, str] | None = None, status: int = HTTPStatus.OK
) -> HttpResponse:
    """`errors` are sentences: of the `file`, or of the whole `form`."""
    context = {
        "here": "new",
        "errors": errors or {},
        "taken": _taken(),
        "most": wording.limit_of(settings.MAX_UPLOAD_BYTES),
        "most_in_parts": wording.limit_of(settings.MAX_CHUNKED_UPLOAD_BYTES),
        "in_parts_above": settings.MAX_UPLOAD_BYTES,
    }
    return page(request, "jobs/upload.html", context, status)


def _taken() -> str:
    """'Any kind of file', or 'Pictures, PDF': by the patterns of what is taken."""
    if EVERYTHING in settings.UPLOAD_TYPES:
        return "Any kind of file"
    told = ", ".join(TYPES.get(pattern, pattern) for pattern in settings.UPLOAD_TYPES)
    return told[:1].upper() + told[1:]
