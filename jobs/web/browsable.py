"""The browsable API: the response with its links, and a form to send JSON.

A view's `sample` is the initial text of that form; None for a view without a request body.
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
URL = re.compile(r'(?<=")((?:https?:/)?/[^"\\\s]+)(?=")')  # a whole string of the JSON


class PageRenderer(BrowsableAPIRenderer):
    """Replaces the page of DRF, which has inline styles and old libraries."""

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
            "content": linked_browsable_text(context["content"]),
            "sample": _sample(context["view"], context["raw_data_post_form"]),
        }


def linked_browsable_text(text: str) -> SafeString:
    """Return the text of a response as HTML, with a link for every URL in it."""
    parts = URL.split(text)  # texts and URLs alternate
    return format_html_join(
        "",
        "{}",
        (
            [format_html('<a href="{0}">{0}</a>', part) if number % 2 else part]
            for number, part in enumerate(parts)
        ),
    )


def _name(request: Request) -> str:
    """Return the title from the name of the URL: Token refresh."""
    match = request.resolver_match
    name = (match and match.url_name) or "API"
    return re.sub("-(alias|page)$", "", name).replace("-", " ").capitalize()


def _sample(view: APIView, form: Any) -> str | None:
    """Return the view's sample; by default the fields of its serializer, empty."""
    default = (form and form.fields["_content"].initial) or ""
    sample = getattr(view, "sample", default)
    return sample if sample is None or isinstance(sample, str) else json.dumps(sample)
