"""What every page needs: somebody signed in, the frame around it, pages of newest rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from http import HTTPStatus
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar
from urllib.parse import quote

from django.contrib.auth.views import redirect_to_login
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.middleware.csrf import REASON_CSRF_TOKEN_MISSING
from django.shortcuts import render
from django.urls import reverse

from jobs.models import DownloadJob
from jobs.web.api_responses import caller, for_reader
from jobs.web.throttle import limit

IDLE_FORMS = {"choose", "settings", "theme"}  # a search with many ticks is one
FORMS = {"downloads": "choose", "link": "link", "reports": "reports"}  # where each is filled in
EMPTY_FORMS = {"settings", "upload"}  # nothing that was in them gets into an address
MAX_ADDRESS = 3_500  # characters; the web server takes 4,094 with what is around it
COOKIES_ARE_OFF = (
    "Your browser sent no cookies, and this site needs them: allow cookies for it, and try again."
)
COOKIE_IS_GONE = "The cookie that belongs to this page was deleted or blocked: load the page again."
OTHER_SITE = "The form was sent from another site, or your browser does not say from where."
FORM_IS_CUT = (
    "The form came without its token: load the page again. An extension may have removed it."
)
OLD_FORM = "This page was open for too long, or you signed in again."
MAX_COUNTED = 99  # beside "My downloads"; more is "99+"
NUMBER = re.compile("[0-9]{1,9}")  # no file number has more digits, and int() takes no dirt

P = ParamSpec("P")
M = TypeVar("M", bound=Model)
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


class SeeOther(HttpResponseRedirect):
    """After a form: go and GET this."""

    status_code = 303


def signed_in(view: View[P]) -> View[P]:
    """To the sign-in page with everybody else; a page that polls is told, and says so itself.

    Counts the request, and a form as what the API would be asked.
    """

    @wraps(view)
    def inner(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.user.is_authenticated:
            limit(request, _scope(request))
            return view(request, *args, **kwargs)
        if "HX-Request" in request.headers:
            return HttpResponse(status=HTTPStatus.UNAUTHORIZED)
        return redirect_to_login(way_back(request))

    return inner


def _scope(request: HttpRequest) -> str:
    """What the request counts as; most forms ask for work."""
    name = request.resolver_match.url_name if request.resolver_match else ""
    if request.method != "POST" or name in IDLE_FORMS:
        return "page"
    return "upload" if name == "upload" else "initiate"


def way_back(request: HttpRequest) -> str:
    """Where somebody goes on who was kept from it. What a form had in it comes along."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    match = request.resolver_match
    if match and "job_id" in match.kwargs:
        return reverse("job-page", args=[match.kwargs["job_id"]])
    if match and match.url_name in EMPTY_FORMS:
        return reverse(match.url_name or "")
    form = FORMS.get(match.url_name or "") if match else None
    return _filled_in(request, reverse(form)) if form else reverse("choose")


def _filled_in(request: HttpRequest, empty: str) -> str:
    """The form with the same in it, as far as an address can carry that."""
    given = request.POST.copy()
    given.pop("csrfmiddlewaretoken", None)
    address = f"{empty}?{given.urlencode()}"
    return address if len(quote(address)) <= MAX_ADDRESS else empty


def on_csrf_failure(request: HttpRequest, reason: str = "", **_: str) -> HttpResponse:
    """Return the page that explains why the form was rejected. `reason` is Django's."""
    detail = f"{_csrf_cause(request, reason)} Nothing was changed."
    return for_reader(request, 403, "csrf", detail, back=way_back(request))


def _csrf_cause(request: HttpRequest, reason: str) -> str:
    if "CSRF cookie" in reason:
        return COOKIE_IS_GONE if request.COOKIES else COOKIES_ARE_OFF
    if "Origin" in reason or "Referer" in reason:
        return OTHER_SITE
    if REASON_CSRF_TOKEN_MISSING in reason:
        return FORM_IS_CUT
    return OLD_FORM  # signed in anew in another tab, most of all


def page(
    request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """Render a page or a fragment for the caller alone."""

    @cache  # and not before a template asks: most polls do not
    def active() -> str:
        mine = DownloadJob.objects.filter(owner=caller(request)).unfinished()
        count = mine[: MAX_COUNTED + 1].count()
        return f"{MAX_COUNTED}+" if count > MAX_COUNTED else str(count or "")

    return render(request, template, {"active": active} | context, status=status)


def number(text: str | None) -> int | None:
    return int(text) if text and NUMBER.fullmatch(text) else None


@dataclass(frozen=True)
class Page(Generic[M]):
    """Some rows, newest first, and whether there are newer and older ones."""

    rows: list[M]
    has_newer: bool
    has_older: bool


Place = dict[str, Any]  # the values that the rows are ordered by: {"created_at": ..., "pk": ...}


def newest(
    parts: Sequence[QuerySet[M]],
    order: tuple[str, ...],
    size: int,
    *,
    after: Place | None,
    before: Place | None,
) -> Page[M]:
    """The page next to a place, found by its values: page 1,000 costs what page 1 does.

    That holds where an index has each part in this order. No row is in two parts.
    """
    if after:
        near = [part.filter(_beyond(after, "gt")) for part in parts]
        found = first(near, order, size + 1)
        if found:
            return Page(found[:size][::-1], len(found) > size, True)
    falling = tuple(f"-{name}" for name in order)
    older = [part.filter(_beyond(before, "lt")) for part in parts] if before else parts
    found = first(older, falling, size + 1)
    if before and not found:  # past the end: begin again
        return newest(parts, order, size, after=None, before=None)
    return Page(found[:size], before is not None, len(found) > size)


def first(parts: Sequence[QuerySet[M]], order: tuple[str, ...], many: int) -> list[M]:
    """The first rows of all parts together, in one query that reads so many of each at most."""
    head, *rest = (part.order_by(*order)[:many] for part in parts)
    return list(head.union(*rest, all=True).order_by(*order)[:many] if rest else head)


def _beyond(place: Place, side: str) -> Q:
    """Rows past the place in an order by its first value, then by its second."""
    first, *rest = place
    if not rest:
        return Q((f"{first}__{side}", place[first]))
    further = Q((f"{first}__{side}", place[first])) | Q((f"{rest[0]}__{side}", place[rest[0]]))
    return Q((f"{first}__{side}e", place[first])) & further
