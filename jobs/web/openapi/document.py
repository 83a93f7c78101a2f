"""The OpenAPI document: its introduction, tables of codes, and the health checks.

The health checks are answered before Django resolves a view, so drf-spectacular does not find them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

from jobs.engine.health import PROBES
from jobs.errors import PREVIEW_CODES
from jobs.kinds.error_codes import job_error_codes
from jobs.kinds.registry import KINDS
from jobs.web.openapi.examples import Json
from jobs.web.problems import CODES

DESCRIPTION = """\
Start a job, poll it, download its file. Every request is short.

{kinds}
All of these also accept `runAt`, the earliest start; `after`, ids of your jobs that must complete
first (if one does not, the job fails with `dependency_failed`); `priority`; and `email` and
`webhook`, which override your settings. Webhooks are signed as Standard Webhooks describes.

Authenticate with `Authorization: Bearer` and an API key, from `POST /v1/keys` or the settings page;
with a token from `POST /v1/auth/token`; or with the session of the pages. Requests are validated
strictly: unknown fields, duplicate names and numbers in quotes are refused. Responses may get new
members; ignore unknown ones. A `fileName` is valid on Windows, macOS and Linux: forbidden
characters are replaced by `_`.

`/downloads`, `/downloads/{{job_id}}`, `/upload` and `/reports` are also pages, for clients that
prefer HTML to JSON and for submitted forms; send a token or `?format=json` to use the API.

## Errors

Every error is `application/problem+json` (RFC 9457). Use `code` in programs: it is never renamed.

{problems}

A `failed` job has an `errorCode`; a job that waits for its next attempt has a `lastError`.

{job_errors}

A `completed` upload without previews, or without some of them, has a `metadata.skippedCode`.

{skipped}
"""
TAGS = {
    "jobs": "Start, poll, cancel and retry jobs.", "schedules": "Repeat requests.",
    "webhooks": "Test webhooks, and send them again.",
    "files": "List, register, change and delete stored files.",
    "sharing": "Links by which anybody can download a file.",
    "auth": "API keys and tokens for programs.",
    "operations": "For staff.", "health": "For load balancers and monitoring.",
}  # fmt: skip
CHECK = {"type": "string", "enum": ["ok", "error"]}
CHECKS = dict.fromkeys([*PROBES, "replica"], CHECK)
HEALTH: Json = {
    "type": "object", "required": ["status"], "properties": {
        "status": {"type": "string", "enum": ["healthy", "unhealthy"]},
        "checks": {"type": "object", "properties": CHECKS, "required": list(PROBES)},
    },
}  # fmt: skip


class Document(SpectacularAPIView):
    """The document. It ignores the parameters `version` and `lang` of drf-spectacular."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        renderer: Any = type(request.accepted_renderer)
        content_type = f"{renderer.media_type}; charset=utf-8"
        response = HttpResponse(_rendered(renderer), content_type=content_type)
        response["Content-Disposition"] = f'inline; filename="Downloads.{renderer.format}"'
        return response


@cache  # making it takes 0.2 s of processor time, and the address is public
def openapi_document() -> Json:
    generator: Any = Document.generator_class()
    document: Json = generator.get_schema(request=None, public=True)
    return document


@cache
def _rendered(renderer: Any) -> bytes:
    return bytes(renderer().render(openapi_document(), renderer_context={}))


def complete_document(result: Json, **_: Any) -> Json:
    """Add introduction, tags and health checks. A postprocessing hook of drf-spectacular."""
    problems = {code: f"{int(each.status)} | {each.sentence}" for code, each in CODES.items()}
    result["info"]["description"] = DESCRIPTION.format(
        kinds="\n".join(kind.introduction for kind in KINDS.values() if kind.introduction),
        problems=_table("code | status | meaning", problems),
        job_errors=_table("errorCode | meaning", job_error_codes()),
        skipped=_table("skippedCode | meaning", PREVIEW_CODES),
    )
    result["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    result["components"]["schemas"]["Health"] = HEALTH
    for path in ("/health", "/health/ready", "/health/live"):
        result["paths"][path] = {"get": _health_check(path)}
    return result


def _table(head: str, meanings: Mapping[str, str]) -> str:
    rows = [f"`{code}` | {meaning}" for code, meaning in meanings.items()]
    return "\n".join(f"| {row} |" for row in [head, re.sub(r"\w+", "---", head), *rows])


def _health_check(path: str) -> Json:
    summary = "Check the database, the broker and the store. Answers within 3 s"
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}
    header = {"schema": {"type": "string"}, "required": True}
    response = {"headers": {"X-Request-ID": header}, "content": content}
    responses = {"200": response | {"description": "Healthy."}}
    if path == "/health/live":
        summary = "Check the process alone"
    else:
        responses["503"] = response | {"description": "`checks` names what does not respond."}
    operation = {"operationId": path[1:].replace("/", "_"), "summary": summary, "tags": ["health"]}
    return operation | {"security": [], "responses": responses}
