"""The page with the form of a kind that has none of its own, made of its Params."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.datastructures import MultiValueDict
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import ValidationError

from jobs.errors import BlockedAddress, LimitReached
from jobs.kinds.base import Kind
from jobs.kinds.form import form_url_name
from jobs.kinds.registry import KINDS
from jobs.web import wording
from jobs.web.authentication import authenticated_user
from jobs.web.error_responses import error_status
from jobs.web.pages import terms
from jobs.web.pages.access import sign_in_required
from jobs.web.pages.form_errors import blocked_addresses, form_errors
from jobs.web.pages.form_fields import form_field, shown_fields
from jobs.web.pages.form_submit import new_form_id, submit_form
from jobs.web.pages.form_values import serializer_data
from jobs.web.pages.rendering import render_page
from jobs.web.pages.repeat import is_repeated, repeat_fields, submit_schedule
from jobs.web.serializers import JobRequest, request_of
from jobs.web.serializers.requests import request_serializer_context


@require_http_methods(["GET", "HEAD", "POST"])
@sign_in_required
def kind_form(request: HttpRequest, kind: str) -> HttpResponse:
    """Show or submit the form. A query fills it in: `?year=2025`."""
    if not KINDS[kind].may_request(authenticated_user(request)):
        raise PermissionDenied("You do not have permission to request this.")
    if request.method == "POST":
        return _submit(request, KINDS[kind])
    return _form(request, KINDS[kind], request.GET)


def _submit(request: HttpRequest, kind: Kind) -> HttpResponse:
    """Start the job and redirect to its page, or show the form with its errors."""
    form = request.POST
    job_request = _job_request(request, kind)
    data = serializer_data(shown_fields(job_request), form)
    for name, value in terms.serializer_data(form, authenticated_user(request)).items():
        data[name] = value
    job_request.initial_data = data
    try:
        job_request.is_valid(raise_exception=True)
        if kind.accepts_json and is_repeated(form):
            return submit_schedule(request, job_request)
        return submit_form(request, job_request.submission())
    except ValidationError as error:
        errors = form_errors(error.get_full_details(), job_request)
        return _form(request, kind, form, errors, HTTPStatus.BAD_REQUEST)
    except BlockedAddress as error:
        errors = blocked_addresses(job_request) or {"form": str(error)}
        return _form(request, kind, form, errors, HTTPStatus.UNPROCESSABLE_ENTITY)
    except LimitReached as error:
        return _form(request, kind, form, {"form": str(error)}, error_status(error))


def _job_request(request: HttpRequest, kind: Kind) -> JobRequest:
    serializer = request_of(type(kind))
    return serializer(data=MultiValueDict[str, Any](), context=request_serializer_context(request))


def _form(
    request: HttpRequest,
    kind: Kind,
    form: QueryDict,
    errors: dict[str, str] | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """Render the form with the values that were submitted."""
    errors = errors or {}
    fields = shown_fields(_job_request(request, kind))
    values = terms.field_values(form, authenticated_user(request))
    context = {
        "here": "new",
        "kind": kind,
        "url_name": form_url_name(kind),
        "fields": [form_field(each, form, errors.get(str(each.field_name), "")) for each in fields],
        "terms": values,
        "repeat": repeat_fields(form) if kind.accepts_json else None,
        "is_open": bool(values.run_at),
        "errors": errors,
        "kept": wording.duration_text(settings.RESULT_KEPT_SECONDS),
        "once": new_form_id(),
    }
    return render_page(request, "jobs/kind_form.html", context, status)
