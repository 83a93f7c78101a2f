"""The error handlers of urls.py: `handler404` and the others."""

from __future__ import annotations

import sys

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from jobs.web.error_responses import error_response, known_error_response


@csrf_exempt  # clients of the API have no CSRF token, and nothing is changed here
def api_not_found(request: HttpRequest, rest: str) -> HttpResponseBase:
    """Raise Http404, for a path of the API that has no view."""
    raise Http404


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return error_response(request, 404, "not_found", "There is nothing at this URL.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if isinstance(exception, RequestDataTooBig):
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        sentence = f"A form may have at most {limit:,} bytes."
        return error_response(request, 413, "too_large", sentence)
    return error_response(request, 400, "invalid", "The request is not valid.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return error_response(request, 403, "permission_denied", "This is not allowed.")


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Return 500, or the response for an error of ours that a middleware or a session raised."""
    error = sys.exception()
    response = known_error_response(request, error) if isinstance(error, Exception) else None
    return response or error_response(request, 500, "internal", "Something went wrong on our side.")
