"""Download the file of a link."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import ValidationError

from jobs.errors import BlockedAddress, LimitReached
from jobs.kinds.remote.kind import Remote
from jobs.kinds.remote.params import THREADS
from jobs.outbound.url_parser import MAX_URL_CHARS
from jobs.web import wording
from jobs.web.authentication import authenticated_user
from jobs.web.error_responses import error_status
from jobs.web.own_job import own_job
from jobs.web.pages import terms
from jobs.web.pages.access import sign_in_required
from jobs.web.pages.form_submit import (
    NAME_ERRORS,
    form_error_sentences,
    form_number_or_text,
    new_form_id,
    submit_form,
)
from jobs.web.pages.rendering import render_page
from jobs.web.pages.repeat import is_repeated, repeat_fields, submit_schedule
from jobs.web.serializers import request_of
from jobs.web.serializers.requests import request_serializer_context

FIELDS = ("url", "output", "threads", "sha256")
NO_LINK = "Enter a web address."
SENTENCES: dict[str, dict[str, str]] = {
    "url": {
        "required": NO_LINK,
        "blank": NO_LINK,
        "max_length": f"Use at most {MAX_URL_CHARS:,} characters.",
    },
    "output": NAME_ERRORS,
    "threads": {"": "Enter a number from 1 to 16."},
    "sha256": {"": "Enter 64 hexadecimal digits."},
} | terms.SENTENCES


class EarlierJobForm(forms.Form):
    """The job whose link to fill in. A value that is not valid is ignored."""

    job = forms.UUIDField(required=False)


@require_http_methods(["GET", "HEAD", "POST"])
@sign_in_required
def remote_form(request: HttpRequest) -> HttpResponse:
    """Show or submit the form. `?url=` fills it in, and so does `?job=` with the job's link."""
    return _submit(request) if request.method == "POST" else _form(request, _given(request))


def _submit(request: HttpRequest) -> HttpResponse:
    """Start the job and redirect to its page, or show the form with its errors."""
    given = _given(request)
    data: dict[str, Any] = {name: text for name, text in given.items() if text}
    if "threads" in data:
        data["threads"] = form_number_or_text(data["threads"])
    data |= terms.serializer_data(request.POST, authenticated_user(request))
    remote = request_of(Remote)(data=data, context=request_serializer_context(request))
    try:
        remote.is_valid(raise_exception=True)
        if is_repeated(request.POST):
            return submit_schedule(request, remote)
        return submit_form(request, remote.submission())
    except ValidationError as error:
        errors = form_error_sentences(error.get_full_details(), SENTENCES)
        return _form(request, given, errors, HTTPStatus.BAD_REQUEST)
    except BlockedAddress as error:
        errors = _errors_of_other_fields(request, data) | {"url": str(error)}
        return _form(request, given, errors, HTTPStatus.UNPROCESSABLE_ENTITY)
    except LimitReached as error:
        return _form(request, given, {"form": str(error)}, error_status(error))


def _given(request: HttpRequest) -> dict[str, str]:
    """Return the value of each field: submitted, from the query, or of the earlier job."""
    given = request.POST or request.GET
    earlier = _earlier(request) if request.method != "POST" else {}
    return {name: str(earlier.get(name, given.get(name, ""))).strip() for name in FIELDS}


def _earlier(request: HttpRequest) -> dict[str, Any]:
    """Return the params of the earlier job; empty if there is none."""
    form = EarlierJobForm(request.GET)
    form.is_valid()
    job_id: UUID | None = form.cleaned_data.get("job")
    job = own_job(request, job_id) if job_id else None
    return job.params if job and job.kind == "remote" else {}


def _errors_of_other_fields(request: HttpRequest, data: dict[str, Any]) -> dict[str, str]:
    """Return the errors of all fields but `url`: a blocked address stops validation there."""
    others = {name: value for name, value in data.items() if name != "url"}
    remote = request_of(Remote)(data=others, context=request_serializer_context(request))
    remote.is_valid()
    return form_error_sentences(ValidationError(remote.errors).get_full_details(), SENTENCES)


def _form(
    request: HttpRequest,
    given: dict[str, str],
    errors: dict[str, str] | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """Render the form with the values that were submitted."""
    errors = errors or {}
    threads = given["threads"] or str(THREADS)
    values = terms.field_values(request.POST or request.GET, authenticated_user(request))
    context = {
        "here": "new",
        "terms": values,
        "repeat": repeat_fields(request.POST or request.GET),
        "given": given | {"threads": threads},
        "errors": errors,
        "is_open": bool(given["sha256"] or threads != str(THREADS) or values.run_at),
        "max_url_chars": MAX_URL_CHARS,
        "most": wording.size_limit_text(settings.REMOTE_MAX_BYTES),
        "kept": wording.duration_text(settings.RESULT_KEPT_SECONDS),
        "once": new_form_id(),
    }
    return render_page(request, "jobs/link.html", context, status)
