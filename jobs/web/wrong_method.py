"""405 responses: with a body, and before the CSRF token is checked."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase

from jobs.web import error_responses

METHODS_OF_PAGES = ("GET", "HEAD", "POST", "OPTIONS", "TRACE")


class WrongMethodMiddleware:
    """Gives the 405 of Django a body: at pages, probes, files and in the admin.

    Rejects the methods that pages do not have before their CSRF token is checked.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED or hasattr(response, "data"):
            return response
        sentence = f"This URL allows only these methods: {response['Allow']}."
        error = error_responses.error_response(
            request, response.status_code, "method_not_allowed", sentence
        )
        for name, value in response.items():
            if not name.startswith("Content-"):
                error[name] = value
        return error

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponseBase], *_: object
    ) -> HttpResponse | None:
        if request.method in METHODS_OF_PAGES or getattr(view, "csrf_exempt", False):
            return None  # the view checks its methods, as views of the API do
        allowed = _methods_of_page(view)
        return None if request.method in allowed else HttpResponseNotAllowed(allowed)


def _methods_of_page(view: Callable[..., HttpResponseBase]) -> list[str]:
    """Return the methods of a class-based view; for a function, those that a page may have."""
    by_class = getattr(view, "view_class", None)
    if by_class is None:
        return ["GET", "HEAD", "POST"]
    return [
        name.upper()
        for name in by_class.http_method_names
        if hasattr(by_class, "get" if name == "head" else name)
    ]
