"""The page where files are uploaded. Sending them is upload.js's business, and the API's."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import APIException, ValidationError

from jobs.engine import uploads
from jobs.errors import LimitReached, StorageUnavailable, TypeNotAllowed
from jobs.terms import Terms
from jobs.web import wording
from jobs.web.api_responses import asking, caller, request_id, status_of
from jobs.web.authentication import check_form_token
from jobs.web.multipart_form import Form
from jobs.web.pages import terms
from jobs.web.pages.form_submit import sentence
from jobs.web.pages.shared import SeeOther, on_csrf_failure, page, signed_in
from jobs.web.serializers import TermsRequest

UNTICKED = {"email": "false"}  # what a form says of a box by saying nothing
EVERYTHING = "*/*"
TYPES = {
    "application/pdf": "PDF",
    "audio/*": "sound",
    "image/*": "pictures",
    "text/*": "text",
    "video/*": "videos",
}

CHOOSE = "Choose a file."


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def upload(request: HttpRequest) -> HttpResponse:
    return _receive(request) if request.method == "POST" else _form(request)


def _receive(request: HttpRequest) -> HttpResponse:
    """Take the file of a browser without scripts, and go to its job's page."""
    sent = Form(request, max_bytes=settings.MAX_UPLOAD_BYTES)
    again = partial(_form, request, given=sent.fields)
    try:
        file = sent.file()
        check_form_token(request, sent.fields.get("csrfmiddlewaretoken", ""))
        if file is None:
            return again({"file": CHOOSE}, HTTPStatus.BAD_REQUEST)
        job, _ = uploads.receive(
            caller(request),
            file.name,
            file,
            most_bytes=sent.promised_bytes,
            terms=lambda: _terms(request, sent.fields),
            request_id=request_id(request),
        )
    except ValidationError as error:
        return again(_errors(error.get_full_details()), HTTPStatus.BAD_REQUEST)
    except APIException as problem:
        if problem.get_codes() == "csrf":
            return on_csrf_failure(request, reason=str(problem.__cause__))
        has_no_file = problem.get_codes() == "no_file"
        detail = CHOOSE if has_no_file else str(problem.detail)
        return again({"file": detail}, problem.status_code)
    except TypeNotAllowed as error:
        return again({"file": str(error)}, HTTPStatus.UNPROCESSABLE_ENTITY)
    except StorageUnavailable as error:
        return again({"form": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE)
    except LimitReached as error:
        return again({"form": str(error)}, status_of(error))
    return SeeOther(reverse("job-page", args=[job.pk]))


def _terms(request: HttpRequest, fields: dict[str, str]) -> Terms:
    asked = terms.asked(UNTICKED | fields, caller(request))
    wanted = TermsRequest(data=asked, context=asking(request))
    wanted.is_valid(raise_exception=True)
    return wanted.terms()


def _errors(details: Any) -> dict[str, str]:
    said = terms.SENTENCES.items()
    return {name: sentence(details[name], told) for name, told in said if name in details}


def _form(
    request: HttpRequest,
    errors: dict[str, str] | None = None,
    status: int = HTTPStatus.OK,
    *,
    given: dict[str, str] | None = None,
) -> HttpResponse:
    """`errors` are sentences: of the `file`, of `runAt`, or of the whole `form`."""
    context = {
        "here": "new",
        "errors": errors or {},
        "terms": terms.offered({} if given is None else UNTICKED | given, caller(request)),
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
