"""The API as a person with a browser sees it: the plain answer with its links, and a form for JSON.

A view's `sample` is what that form holds at first; None where the view takes no body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from rest_framework.renderers import BrowsableAPIRenderer

from jobs.web.problems import PROBLEM

if TYPE_CHECKING:  # DRF's views load this module
    from rest_framework.request import Request
    from rest_framework.views import APIView

CODE = re.compile("`([^`]+)`")
ADDRESS = re.compile(r'(?<=")((?:https?:/)?/[^"\\\s]+)(?=")')  # a whole string of the JSON


class PageRenderer(BrowsableAPIRenderer):
    """DRF's own page has inline styles, libraries of 2013 and somebody else's name on it."""

    template = "api.html"
    filter_template = "api_filters.html"

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(data, accepted_media_type, renderer_context)
        if context["response"].status_code >= HTTPStatus.BAD_REQUEST:
            context["response_headers"]["Content-Type"] = PROBLEM
        return context | {
            "name": _name(context["request"]),
            "description": SafeString(CODE.sub(r"<code>\1</code>", context["description"])),
            "content": linked(context["content"]),
            "sample": _sample(context["view"], context["raw_data_post_form"]),
        }


def linked(answer: str) -> SafeString:
    """The text of an answer, with every address in it made a link."""
    parts = ADDRESS.split(answer)  # text and addresses take turns
    return format_html_join(
        "",
        "{}",
        (
            [format_html('<a href="{0}">{0}</a>', part) if number % 2 else part]
            for number, part in enumerate(parts)
        ),
    )


def _name(request: Request) -> str:
    """As the address is called: Token refresh."""
    match = request.resolver_match
    name = (match and match.url_name) or "API"
    return re.sub("-(alias|page)$", "", name).replace("-", " ").capitalize()


def _sample(view: APIView, form: Any) -> str | None:
    """Else what DRF makes of the view's serializer: its fields, empty."""
    by_serializer = (form and form.fields["_content"].initial) or ""
    sample = getattr(view, "sample", by_serializer)
    return sample if sample is None or isinstance(sample, str) else json.dumps(sample)
