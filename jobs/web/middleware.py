"""Middleware: request ids, probes, limits and the gateway's user; security headers and gzip."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.middleware.security import SecurityMiddleware
from django.utils.cache import patch_vary_headers
from rest_framework.exceptions import AuthenticationFailed

from jobs.engine import health
from jobs.web import devices, error_responses, throttle
from jobs.web.authentication import CHALLENGE, gateway_user
from jobs.web.request_ids import client_request_id
from jobs.web.request_limits import (
    FORMS,
    exceeds_header_limit,
    exceeds_query_limit,
    is_service_view,
    request_form_limit,
)
from jobs.web.upload_handlers import NoFiles

GetResponse = Callable[[HttpRequest], HttpResponse]

PRIVATE = "private, no-store"
# Defaults: static files set their own Cache-Control.
HEADERS = {
    "Cache-Control": PRIVATE,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
VARY_BY = ("Accept", "Authorization", "Cookie")


class HeadersMiddleware(SecurityMiddleware):
    """Sets the security headers of all responses: also of errors, probes, files and redirects.

    A response for one user is stored by no cache.
    """

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)
        self.redirect = False  # Django's middleware redirects to https, after the probes

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response = super().process_response(request, response)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if response.headers["Cache-Control"] == PRIVATE:
            patch_vary_headers(response, VARY_BY)
        return response


PROBES = {
    "/health": health.health_ready,
    "/health/ready": health.health_ready,
    "/health/live": health.health_live,
}


class ProbeMiddleware:
    """Answers probes before the host, TLS and the session are checked.

    Load balancers send them to the container's own address in plain HTTP, and follow no redirect.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return PROBES.get(request.path, self.get_response)(request)


class LimitsMiddleware:
    """Rejects requests that are too large, before they are parsed."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if exceeds_header_limit(request.META):
            sentence = "A header is too long."  # maybe of Accept, so this does not negotiate
            return error_responses.api_error_response(request, 431, "headers_too_large", sentence)
        if exceeds_query_limit(request.META):
            request.GET = QueryDict()  # or rendering the error page raises, too
            raise BadRequest("too many names")
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponseBase], *_: object
    ) -> HttpResponse | None:
        """Reject a long form before the check of the CSRF token reads it."""
        if request.content_type not in FORMS:
            return None
        if is_service_view(view) and not hasattr(request, "_files"):
            request.upload_handlers = [NoFiles(request)]
        max_bytes = request_form_limit(view)
        if max_bytes is None or int(request.META.get("CONTENT_LENGTH") or 0) <= max_bytes:
            return None
        sentence = f"A form may have at most {max_bytes:,} bytes."
        return error_responses.error_response(request, 413, "too_large", sentence)


class NoNulMiddleware:
    """Answers 400 for a NUL in a URL: no value has one, and Postgres rejects it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "%00" in request.META.get("QUERY_STRING", "") or "\0" in request.path:
            raise BadRequest("NUL")
        return self.get_response(request)


class RequestIdMiddleware:
    """Sets `request.request_id` and the X-Request-ID header of the response."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = client_request_id(request.headers.get("X-Request-ID", ""))
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class GatewayMiddleware:
    """Authenticates the user in the gateway's header; rejects the header from anybody else."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            user = gateway_user(request)
        except AuthenticationFailed as error:
            code, sentence = str(error.get_codes()), str(error.detail)
            response = error_responses.error_response(request, 401, code, sentence)
            response["WWW-Authenticate"] = CHALLENGE
            return response
        if user:
            request.user = request.gateway_user = user  # type: ignore[attr-defined]
        return self.get_response(request)


class ResponseMiddleware:
    """Sets the RateLimit headers and the device cookie; turns errors of ours into responses.

    A sign-in page whose form could not be processed has the status of the problem.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if problem := getattr(request, "sign_in_problem", None):
            response.status_code = problem.status_code
            for name, value in problem.headers.items():
                response[name] = value
        throttle.set_throttle_headers(request, response)
        devices.set_device_cookie(request, response)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return error_responses.known_error_response(request, error)
