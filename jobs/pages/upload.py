"""The page where files are uploaded. Sending them is upload.js's business, and the API's."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import APIException

from jobs import uploads, wording
from jobs.authentication import check_form_token
from jobs.errors import LimitReached, StorageUnavailable, TypeNotAllowed
from jobs.forms import Form
from jobs.http import caller, request_id, status_of
from jobs.pages.shared import SeeOther, on_csrf_failure, page, signed_in
from jobs.serializers import terms_of_form

EVERYTHING = "*/*"
TYPES = {
    "application/pdf": "PDF",
    "audio/*": "sound",
    "image/*": "pictures",
    "text/*": "text",
    "video/*": "videos",
}


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def upload(request: HttpRequest) -> HttpResponse:
    return _receive(request) if request.method == "POST" else _form(request)


def _receive(request: HttpRequest) -> HttpResponse:
    """Take the file of a browser without scripts, and go to its job's page."""
    sent = Form(request, max_bytes=settings.MAX_UPLOAD_BYTES)
    try:
        file = sent.file()
        check_form_token(request, sent.fields.get("csrfmiddlewaretoken", ""))
        if file is None:
            return _form(request, {"file": "Choose a file."}, HTTPStatus.BAD_REQUEST)
        job, _ = uploads.receive(
            caller(request),
            file.name,
            file,
            most_bytes=sent.promised_bytes,
            terms=lambda: terms_of_form(sent.fields, caller(request)),
            request_id=request_id(request),
        )
    except APIException as problem:
        if problem.get_codes() == "csrf":
            return on_csrf_failure(request)
        return _form(request, {"file": str(problem.detail)}, problem.status_code)
    except TypeNotAllowed as error:
        return _form(request, {"file": str(error)}, HTTPStatus.UNPROCESSABLE_ENTITY)
    except StorageUnavailable as error:
        return _form(request, {"form": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE)
    except LimitReached as error:
        return _form(request, {"form": str(error)}, status_of(error))
    return SeeOther(reverse("job-page", args=[job.pk]))


def _form(
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
