"""Asking for a report on what was asked for."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import ValidationError

from jobs.errors import LimitReached
from jobs.kinds.registry import MAX_DAYS, USUAL_PERIOD
from jobs.models.permissions import can_view_all_jobs
from jobs.web.api_responses import asking, caller, status_of
from jobs.web.pages import terms
from jobs.web.pages.form_submit import new_form, sentence, start
from jobs.web.pages.shared import page, signed_in
from jobs.web.serializers import ReportRequest

OWN_DATES = "dates"  # instead of a period
PERIODS = {"7d": "Last 7 days", "30d": "Last 30 days", OWN_DATES: "Own dates"}
FORMAT = "as"  # a `format` in an address would ask the API
FORMATS = {"pdf": "PDF", "csv": "CSV", "json": "JSON"}
SENTENCES = {
    "period": {"": "Choose one of these."},
    "from": {"": "Choose a day."},
    "to": {"": f"Choose a day from the first on, for at most {MAX_DAYS} days in all."},
    "format": {"": "Choose one of these."},
} | terms.SENTENCES


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def report(request: HttpRequest) -> HttpResponse:
    return _ask(request) if request.method == "POST" else _form(request, request.GET)


def _ask(request: HttpRequest) -> HttpResponse:
    """Start the report and go to its page; or the form again, with what is wrong with it."""
    given = request.POST
    wanted = ReportRequest(data=_asked(request), context=asking(request))
    try:
        wanted.is_valid(raise_exception=True)
        return start(request, wanted.asked())
    except ValidationError as error:
        return _form(request, given, _errors(error.get_full_details()), HTTPStatus.BAD_REQUEST)
    except LimitReached as error:
        return _form(request, given, {"form": str(error)}, status_of(error))


def _asked(request: HttpRequest) -> dict[str, Any]:
    given = request.POST
    asked: dict[str, Any] = {"format": given.get(FORMAT, "")}
    if given.get("period") == OWN_DATES:
        asked |= {end: given.get(end, "").strip() for end in ("from", "to")}
    else:
        asked["period"] = given.get("period", "")
    if can_view_all_jobs(caller(request)):  # nobody else has the box
        asked["everybody"] = "everybody" in given
    return asked | terms.asked(given, caller(request))


def _errors(details: Any) -> dict[str, str]:
    """One sentence for each field."""
    return {
        name: sentence(details[name], told) for name, told in SENTENCES.items() if name in details
    }


def _form(
    request: HttpRequest,
    given: QueryDict,
    errors: dict[str, str] | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """The form, with everything that was given to it still in its place."""
    end = timezone.now().date().replace(day=1) - timedelta(days=1)  # of the last whole month
    context = {
        "here": "new",
        "terms": terms.offered(given, caller(request)),
        "period": _one_of(PERIODS, given.get("period"), USUAL_PERIOD),
        "format": _one_of(FORMATS, given.get(FORMAT), "pdf"),
        "first": given.get("from", f"{end.replace(day=1)}"),
        "last": given.get("to", f"{end}"),
        "everybody": "everybody" in given,
        "may_see_all": can_view_all_jobs(caller(request)),
        "periods": PERIODS,
        "formats": FORMATS,
        "errors": errors or {},
        "once": new_form(),
    }
    return page(request, "jobs/report.html", context, status)


def _one_of(known: dict[str, str], name: str | None, usual: str) -> str:
    return name if name in known else usual
