"""Limits on the size of a request: its headers, its query, its JSON or form.

They apply before authentication. A view sets another limit for its body with `max_body_bytes`.
Uploaded files have their own limits (multipart_form.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings

MAX_BODY_BYTES = 128 * 1024
SHORT_BODY_BYTES = 8 * 1024  # for short requests without authentication
# A form that Django reads. Decoding many `%` is slow. 1,000 ticked files are 16 kB.
MAX_FORM_BYTES = 32 * 1024
FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}

# Of a header value. The web process joins headers of one name, and only limits each line.
MAX_HEADER_CHARS = 8_190
# Headers whose value is parsed. Browsers send 150 characters of Accept.
MAX_CHARS = {"HTTP_ACCEPT": 1_000, "HTTP_IF_NONE_MATCH": 1_000, "CONTENT_TYPE": 1_000}
MAX_COOKIE_ESCAPES = 200  # before 3.11.10 and 3.12.6, Python needs quadratic time


def request_body_limit(view: Any) -> int:
    """Return the limit of a view, a class or its instance, for JSON, and for a form if lower."""
    return int(getattr(view, "max_body_bytes", MAX_BODY_BYTES))


def request_form_limit(view: Callable[..., Any]) -> int | None:
    """Return the limit of a view for forms.

    None if the view streams them itself, or if it is one of the project's, with Django's limits.
    """
    by_class = _class_of(view)
    if getattr(by_class, "reads_forms", False):
        return None
    if not is_service_view(view):
        most: int | None = settings.OTHER_FORMS_MAX_BYTES
        return most
    return min(MAX_FORM_BYTES, request_body_limit(by_class))


def is_service_view(view: Callable[..., Any]) -> bool:
    """Return whether the view is of the service, not of the project that it is in."""
    return (_class_of(view) or view).__module__.split(".")[0] == "jobs"


def _class_of(view: Callable[..., Any]) -> Any:
    return getattr(view, "cls", None) or getattr(view, "view_class", None)


def exceeds_header_limit(meta: dict[str, Any]) -> bool:
    """Return True if a header in this WSGI environment is too long."""
    if meta.get("HTTP_COOKIE", "").count("\\") > MAX_COOKIE_ESCAPES:
        return True
    return any(
        len(value) > MAX_CHARS.get(name, MAX_HEADER_CHARS)
        for name, value in meta.items()
        if name.startswith("HTTP_") or name == "CONTENT_TYPE"
    )


def request_content_coding(meta: dict[str, Any]) -> str:
    """Return the Content-Encoding in lower case; empty if the body is not encoded."""
    codings = [each.strip().lower() for each in meta.get("HTTP_CONTENT_ENCODING", "").split(",")]
    return ", ".join(each for each in codings if each not in ("", "identity"))


def exceeds_query_limit(meta: dict[str, Any]) -> bool:
    """Return True if Django would reject the query for its number of parameters."""
    separators = str(meta.get("QUERY_STRING", "")).count("&")
    return separators >= settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
