"""What happens to every request: it gets an id, and probes are answered first.

And to every answer: its headers tell browsers and caches to be careful.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import structlog
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, QueryDict
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.cache import patch_vary_headers
from rest_framework.exceptions import AuthenticationFailed

from jobs.engine import health
from jobs.web import api_responses, devices, throttle
from jobs.web.authentication import CHALLENGE, gateway_user
from jobs.web.request_ids import request_id_of
from jobs.web.request_limits import FORMS, has_long_header, has_long_query, max_form_bytes

GetResponse = Callable[[HttpRequest], HttpResponse]

PRIVATE = "private, no-store"
# Unless the answer says otherwise, as static files do of their caching.
HEADERS = {
    "Cache-Control": PRIVATE,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
TOLD_APART_BY = ("Accept", "Authorization", "Cookie")
PACKET_BYTES = 1_400
ANY_PAGE_MAY_HAVE = ("GET", "HEAD", "POST", "OPTIONS", "TRACE")


class HeadersMiddleware(SecurityMiddleware):
    """Puts the same headers on all answers: errors, probes, files and redirects, too.

    An answer that one caller alone may see is kept by no cache.
    """

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)
        self.redirect = False  # to https: Django's own does that, further in, and not with probes

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response = super().process_response(request, response)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if response.headers["Cache-Control"] == PRIVATE:
            patch_vary_headers(response, TOLD_APART_BY)
        return response


class WrongMethodMiddleware:
    """Gives Django's 405 a body: it has none, at pages, probes, files and in the admin.

    And comes before the form's token is looked for, which a method that pages do not have lacks.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED or hasattr(response, "data"):
            return response
        sentence = f"This address has other methods: {response['Allow']}."
        told = api_responses.for_reader(
            request, response.status_code, "method_not_allowed", sentence
        )
        for name, value in response.items():
            if not name.startswith("Content-"):
                told[name] = value
        return told

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponseBase], *_: object
    ) -> HttpResponse | None:
        if request.method in ANY_PAGE_MAY_HAVE or getattr(view, "csrf_exempt", False):
            return None  # the view says what it has, as the API's all do
        allowed = _methods_of_page(view)
        return None if request.method in allowed else HttpResponseNotAllowed(allowed)


def _methods_of_page(view: Callable[..., HttpResponseBase]) -> list[str]:
    """Return those of a class; of a function, which does not say, those that any page may have."""
    by_class = getattr(view, "view_class", None)
    if by_class is None:
        return ["GET", "HEAD", "POST"]
    return [
        name.upper()
        for name in by_class.http_method_names
        if hasattr(by_class, "get" if name == "head" else name)
    ]


PROBES = {"/health": health.ready, "/health/ready": health.ready, "/health/live": health.live}


class ProbeMiddleware:
    """Answers load balancers before hosts, TLS and sessions are looked at.

    They ask by the container's own address and in plain HTTP, and must not be sent elsewhere.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return PROBES.get(request.path, self.get_response)(request)


class LimitsMiddleware:
    """Refuses a request that is larger than any that we read, before that costs anything."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if has_long_header(request.META):
            sentence = "A header is too long."  # of Accept, perhaps: so nobody reads it
            return api_responses.problem_response(request, 431, "headers_too_large", sentence)
        if has_long_query(request.META):
            request.GET = QueryDict()  # or the page of the error raises, too
            raise BadRequest("too many names")
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponseBase], *_: object
    ) -> HttpResponse | None:
        """Before the form's token is looked for, which reads the form."""
        most = max_form_bytes(view) if request.content_type in FORMS else None
        if most is None or int(request.META.get("CONTENT_LENGTH") or 0) <= most:
            return None
        sentence = f"A form has at most {most:,} bytes."
        return api_responses.for_reader(request, 413, "too_large", sentence)


class NoNulMiddleware:
    """400 for a NUL in an address: no value of ours has one, and Postgres chokes on it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "%00" in request.META.get("QUERY_STRING", "") or "\0" in request.path:
            raise BadRequest("NUL")
        return self.get_response(request)


class PackMiddleware(GZipMiddleware):
    """Sends pages, and files that are not packed yet, with gzip.

    What fits one packet stays as it is, and so does a poll of the API, whose ETag stays a strong
    one. Django pads at random, so that lengths tell nothing of secrets.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if isinstance(response, HttpResponse):
            is_left = len(response.content) < PACKET_BYTES or response.has_header("ETag")
            return response if is_left else super().process_response(request, response)
        if response.has_header("Content-Encoding"):  # packed when it was collected
            return response
        if (request.method, response.status_code) != ("GET", HTTPStatus.OK):
            return response  # a file that is not sent, or a part of one
        packed = super().process_response(request, response)
        if packed.has_header("Content-Encoding"):
            # Whitenoise would not know its own ETag again now that it is weak. The date does.
            del packed["ETag"]
        return packed


class RequestIdMiddleware:
    """Sets `request.request_id`, and the X-Request-ID header of the answer."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = request_id_of(request.headers.get("X-Request-ID", ""))
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class GatewayMiddleware:
    """Takes the user from the gateway's header, if there is one; refuses what others put there."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            user = gateway_user(request)
        except AuthenticationFailed as error:
            code, sentence = str(error.get_codes()), str(error.detail)
            refused = api_responses.for_reader(request, 401, code, sentence)
            refused["WWW-Authenticate"] = CHALLENGE
            return refused
        if user:
            request.user = request.gateway_user = user  # type: ignore[attr-defined]
        return self.get_response(request)


class AnswerMiddleware:
    """Turns our own errors on a page into its answer. Each answer tells of its caller's rates.

    One to a sign-in sets the cookie of the device.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        throttle.tell(request, response)
        devices.set_cookie(request, response)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return api_responses.page_problem(request, error)
