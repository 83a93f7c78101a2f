"""Content negotiation: HTML pages for people, JSON for programs. Some paths have both."""

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
    """Answers 406 only if the response has a body.

    A view names the methods without one (a redirect, a 204) in `bodiless_methods`. Their errors are
    JSON, whatever the client accepts.
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
    """Return a view that calls the page for a browser, else the API.

    `reads_body` is for a page that streams its form and checks the CSRF token itself, or needs
    none; programs send forms to its path, too. The view wraps `api`, the result of `as_view`, so
    that the OpenAPI document finds it.
    """
    guarded = page if reads_body else csrf_protect(page)  # the API checks it for sessions only
    is_for_page = prefers_html if reads_body else accepts_page
    takes_forms = hasattr(api.cls, "post")

    @wraps(api)
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST":
            is_page = takes_forms and is_for_page(request)
        else:
            is_page = accepts_page(request)
        return (guarded if is_page else api)(request, *args, **kwargs)

    return view


def accepts_page(request: HttpRequest) -> bool:
    """Return True for a browser: it sends a form, requests a fragment, or prefers HTML."""
    if _is_api_client(request):
        return False
    if "HX-Request" in request.headers:
        return True
    if request.method == "POST":
        return request.content_type in FORMS
    return request.method in ("GET", "HEAD") and prefers_html(request)


def prefers_html(request: HttpRequest) -> bool:
    """Return True if the client prefers HTML to JSON. `Accept: */*` prefers JSON."""
    if _is_api_client(request):
        return False
    return request.get_preferred_type([PROBLEM, JSON, HTML]) == HTML


def _is_api_client(request: HttpRequest) -> bool:
    """Return True for what pages never send: a token, JSON, or `?format=`."""
    scheme = request.headers.get("Authorization", "").partition(" ")[0].lower()
    return scheme == "bearer" or request.content_type == JSON or "format" in request.GET
