"""How large a request may be before it is read: its headers, its query, its JSON or form.

Anybody can send these, so this bounds what a request costs without signing in. A view that needs
another bound for its body names it: `max_body_bytes`. Uploaded files have their own limits
(multipart_form.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings

MAX_BODY_BYTES = 128 * 1024
SHORT_BODY_BYTES = 8 * 1024  # where a few words are sent, or a token, and nobody is signed in
# Of a form that Django reads: of each %, it makes a piece of text. 1,000 ticked files are 16 kB.
MAX_FORM_BYTES = 32 * 1024
FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}

# Of the value of a header. The web process joins those of one name, and bounds each line alone.
MAX_HEADER_CHARS = 8_190
# Where each piece of the value is looked at. Browsers send 150 characters of Accept.
MAX_CHARS = {"HTTP_ACCEPT": 1_000, "HTTP_IF_NONE_MATCH": 1_000, "CONTENT_TYPE": 1_000}
MAX_COOKIE_ESCAPES = 200  # before 3.11.10 and 3.12.6, Python takes the square of their number


def max_body_bytes(view: Any) -> int:
    """Of JSON, and of a form where that is less than of any. `view` is a class or its instance."""
    return int(getattr(view, "max_body_bytes", MAX_BODY_BYTES))


def max_form_bytes(view: Callable[..., Any]) -> int | None:
    """None where the view reads forms itself, as they come."""
    by_class = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if getattr(by_class, "reads_forms", False):
        return None
    return min(MAX_FORM_BYTES, max_body_bytes(by_class))


def has_long_header(meta: dict[str, Any]) -> bool:
    """Whether a header of this WSGI environment is longer than any that is read."""
    if meta.get("HTTP_COOKIE", "").count("\\") > MAX_COOKIE_ESCAPES:
        return True
    return any(
        len(value) > MAX_CHARS.get(name, MAX_HEADER_CHARS)
        for name, value in meta.items()
        if name.startswith("HTTP_") or name == "CONTENT_TYPE"
    )


def content_coding(meta: dict[str, Any]) -> str:
    """Return how the body is encoded; empty where it is sent as it is. Codings have no case."""
    codings = [each.strip().lower() for each in meta.get("HTTP_CONTENT_ENCODING", "").split(",")]
    return ", ".join(each for each in codings if each not in ("", "identity"))


def has_long_query(meta: dict[str, Any]) -> bool:
    """Whether Django would refuse the query for its number of names."""
    separators = str(meta.get("QUERY_STRING", "")).count("&")
    return separators >= settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
