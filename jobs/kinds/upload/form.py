"""The upload page. upload.js sends files to the API; without scripts the form comes here."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import APIException, ValidationError

from jobs.errors import LimitReached, StorageUnavailable, TypeNotAllowed
from jobs.kinds.upload import receive
from jobs.lib.scanner import is_scanner_on
from jobs.terms import Terms
from jobs.web import wording
from jobs.web.authentication import authenticated_user, check_csrf_token
from jobs.web.error_responses import error_status
from jobs.web.multipart_form import MultipartForm
from jobs.web.pages import terms
from jobs.web.pages.access import csrf_failure_page, sign_in_required
from jobs.web.pages.form_submit import form_error_sentences
from jobs.web.pages.rendering import SeeOther, render_page
from jobs.web.request_ids import request_id
from jobs.web.serializers import TermsRequest
from jobs.web.serializers.requests import request_serializer_context

UNTICKED = {"email": "false"}  # a form leaves out a box that is not ticked
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
@sign_in_required
def upload_form(request: HttpRequest) -> HttpResponse:
    return _receive(request) if request.method == "POST" else _form(request)


def _receive(request: HttpRequest) -> HttpResponse:
    """Store the file of a browser without scripts, and redirect to the page of its job."""
    form = MultipartForm(request, max_bytes=settings.MAX_UPLOAD_BYTES)
    show_form = partial(_form, request, fields=form.fields)
    try:
        file = form.file()
        check_csrf_token(request, form.fields.get("csrfmiddlewaretoken", ""))
        if file is None:
            return show_form({"file": CHOOSE}, HTTPStatus.BAD_REQUEST)
        job, _ = receive.receive_upload(
            authenticated_user(request),
            file.name,
            file,
            most_bytes=form.max_file_bytes,
            terms=lambda: _terms(request, form.fields),
            request_id=request_id(request),
        )
    except ValidationError as error:
        errors = form_error_sentences(error.get_full_details(), terms.SENTENCES)
        return show_form(errors, HTTPStatus.BAD_REQUEST)
    except APIException as problem:
        if problem.get_codes() == "csrf":
            return csrf_failure_page(request, reason=str(problem.__cause__))
        has_no_file = problem.get_codes() == "no_file"
        detail = CHOOSE if has_no_file else str(problem.detail)
        return show_form({"file": detail}, problem.status_code)
    except TypeNotAllowed as error:
        return show_form({"file": str(error)}, HTTPStatus.UNPROCESSABLE_ENTITY)
    except StorageUnavailable as error:
        return show_form({"form": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE)
    except LimitReached as error:
        return show_form({"form": str(error)}, error_status(error))
    return SeeOther(reverse("job-page", args=[job.pk]))


def _terms(request: HttpRequest, fields: dict[str, str]) -> Terms:
    data = terms.serializer_data(UNTICKED | fields, authenticated_user(request))
    serializer = TermsRequest(data=data, context=request_serializer_context(request))
    serializer.is_valid(raise_exception=True)
    return serializer.terms()


def _form(
    request: HttpRequest,
    errors: dict[str, str] | None = None,
    status: int = HTTPStatus.OK,
    *,
    fields: dict[str, str] | None = None,
) -> HttpResponse:
    """Render the form. `errors` has sentences for `file`, `runAt` or the whole `form`."""
    context = {
        "here": "new",
        "errors": errors or {},
        "terms": terms.field_values(
            {} if fields is None else UNTICKED | fields, authenticated_user(request)
        ),
        "taken": _allowed_types(),
        "is_scanned": is_scanner_on(),
        "most": wording.size_limit_text(settings.MAX_UPLOAD_BYTES),
        "most_in_parts": wording.size_limit_text(settings.MAX_CHUNKED_UPLOAD_BYTES),
        "in_parts_above": settings.MAX_UPLOAD_BYTES,
    }
    return render_page(request, "jobs/upload.html", context, status)


def _allowed_types() -> str:
    """Return the allowed types as text: 'Any kind of file', or 'Pictures, PDF'."""
    if EVERYTHING in settings.UPLOAD_TYPES:
        return "Any kind of file"
    names = ", ".join(TYPES.get(pattern, pattern) for pattern in settings.UPLOAD_TYPES)
    return names[:1].upper() + names[1:]
