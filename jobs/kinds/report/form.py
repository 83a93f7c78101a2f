"""Request a report on downloads."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import ValidationError

from jobs.errors import LimitReached
from jobs.kinds.report.kind import Report
from jobs.kinds.report.params import DEFAULT_PERIOD, MAX_DAYS
from jobs.models.permissions import can_view_all_jobs
from jobs.web.authentication import authenticated_user
from jobs.web.error_responses import error_status
from jobs.web.pages import terms
from jobs.web.pages.access import sign_in_required
from jobs.web.pages.form_submit import form_error_sentences, new_form_id, submit_form
from jobs.web.pages.rendering import render_page
from jobs.web.pages.repeat import is_repeated, repeat_fields, submit_schedule
from jobs.web.serializers import request_of
from jobs.web.serializers.requests import request_serializer_context

OWN_DATES = "dates"  # instead of a period
PERIODS = {"7d": "Last 7 days", "30d": "Last 30 days", OWN_DATES: "Custom range"}
FORMAT = "as"  # `format` in a query would select a renderer of the API
FORMATS = {"pdf": "PDF", "csv": "CSV", "json": "JSON"}
SENTENCES = {
    "period": {"": "Choose one of the options."},
    "from": {"": "Choose a day."},
    "to": {"": f"Choose a day on or after the first, for at most {MAX_DAYS} days."},
    "format": {"": "Choose one of the options."},
} | terms.SENTENCES


@require_http_methods(["GET", "HEAD", "POST"])
@sign_in_required
def report_form(request: HttpRequest) -> HttpResponse:
    return _submit(request) if request.method == "POST" else _form(request, request.GET)


def _submit(request: HttpRequest) -> HttpResponse:
    """Start the report and redirect to its page, or show the form with its errors."""
    form = request.POST
    serializer = request_of(Report)(
        data=_serializer_data(request), context=request_serializer_context(request)
    )
    try:
        serializer.is_valid(raise_exception=True)
        if is_repeated(form):
            return submit_schedule(request, serializer)
        return submit_form(request, serializer.submission())
    except ValidationError as error:
        errors = form_error_sentences(error.get_full_details(), SENTENCES)
        return _form(request, form, errors, HTTPStatus.BAD_REQUEST)
    except LimitReached as error:
        return _form(request, form, {"form": str(error)}, error_status(error))


def _serializer_data(request: HttpRequest) -> dict[str, Any]:
    """Return the submitted fields as input of the request."""
    form = request.POST
    data: dict[str, Any] = {"format": form.get(FORMAT, "")}
    if form.get("period") == OWN_DATES:
        data |= {end: form.get(end, "").strip() for end in ("from", "to")}
    else:
        data["period"] = form.get("period", "")
    if can_view_all_jobs(authenticated_user(request)):  # others have no such box
        data["everybody"] = "everybody" in form
    return data | terms.serializer_data(form, authenticated_user(request))


def _form(
    request: HttpRequest,
    form: QueryDict,
    errors: dict[str, str] | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """Render the form with the values that were submitted."""
    end = timezone.now().date().replace(day=1) - timedelta(days=1)  # of the last whole month
    context = {
        "here": "new",
        "terms": terms.field_values(form, authenticated_user(request)),
        "repeat": repeat_fields(form),
        "period": _one_of(PERIODS, form.get("period"), DEFAULT_PERIOD),
        "format": _one_of(FORMATS, form.get(FORMAT), "pdf"),
        "first": form.get("from", f"{end.replace(day=1)}"),
        "last": form.get("to", f"{end}"),
        "everybody": "everybody" in form,
        "may_see_all": can_view_all_jobs(authenticated_user(request)),
        "periods": PERIODS,
        "formats": FORMATS,
        "errors": errors or {},
        "once": new_form_id(),
    }
    return render_page(request, "jobs/report.html", context, status)


def _one_of(choices: dict[str, str], name: str | None, default: str) -> str:
    return name if name in choices else default
