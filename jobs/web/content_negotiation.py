"""Who reads the answer: a person, for whom it is a page, or a program. Some addresses have both."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.decorators.csrf import csrf_protect
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from jobs.web.problems import PROBLEM
from jobs.web.request_limits import FORMS

JSON, HTML = "application/json", "text/html"

View = Callable[..., HttpResponseBase]


class ContentNegotiation(DefaultContentNegotiation):
    """Refuses an `Accept` only where the answer has a body to choose.

    A redirect has none, nor has a 204: a view names such methods in `bodiless_methods`. Their
    errors are JSON, whatever is asked for.
    """

    def get_accept_list(self, request: Request) -> list[str]:
        """Return the accepted media types. An empty header and `*`, as Java sends it, are `*/*`."""
        accepted = super().get_accept_list(request) or ["*/*"]
        return [re.sub(r"^\s*\*\s*(?=;|$)", "*/*", each) for each in accepted]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[Any, str]:
        renderers = list(renderers)
        try:
            chosen: tuple[Any, str] = super().select_renderer(request, renderers, format_suffix)
        except (NotAcceptable, Http404):  # no such `Accept`, no such `?format=`
            view = (request.parser_context or {}).get("view")
            if request.method not in getattr(view, "bodiless_methods", ()):
                raise
            return renderers[0], renderers[0].media_type
        return chosen


def page_or_api(page: View, api: Any, *, reads_body: bool = False) -> View:
    """A page for a person, else the API, which also has the methods that pages do not.

    `reads_body` says of the page that it reads forms as they come, and sees to their token itself;
    programs send forms to that address, too. `api` is what `as_view` made, and stays what finds it
    in urls.py finds: the OpenAPI document.
    """
    guarded = page if reads_body else csrf_protect(page)  # the API only for sessions
    is_persons = reads_pages if reads_body else asks_for_page
    takes_forms = hasattr(api.cls, "post")

    @wraps(api)
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST":
            is_page = takes_forms and is_persons(request)
        else:
            is_page = asks_for_page(request)
        return (guarded if is_page else api)(request, *args, **kwargs)

    return view


def asks_for_page(request: HttpRequest) -> bool:
    """Whether it is a person's: a form, a part of a page, or what prefers HTML."""
    if _is_surely_a_programs(request):
        return False
    if "HX-Request" in request.headers:
        return True
    if request.method == "POST":
        return request.content_type in FORMS
    return request.method in ("GET", "HEAD") and reads_pages(request)


def reads_pages(request: HttpRequest) -> bool:
    """Whether HTML is preferred to JSON. Of equals JSON comes first, as in `Accept: */*`."""
    if _is_surely_a_programs(request):
        return False
    return request.get_preferred_type([PROBLEM, JSON, HTML]) == HTML


def _is_surely_a_programs(request: HttpRequest) -> bool:
    """Pages send neither tokens nor JSON, and `format` chooses one of the API's."""
    scheme = request.headers.get("Authorization", "").partition(" ")[0].lower()
    return scheme == "bearer" or request.content_type == JSON or "format" in request.GET
