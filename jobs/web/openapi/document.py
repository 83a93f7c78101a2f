"""The OpenAPI document: its introduction, tables of codes, and the health checks.

The health checks are answered before Django resolves a view, so drf-spectacular does not find them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

from jobs.errors import PREVIEW_CODES
from jobs.kinds.error_codes import job_error_codes
from jobs.kinds.registry import KINDS
from jobs.web.problems import CODES

Json = dict[str, Any]

INTRODUCTION = """\
Start a job, poll it, download its file. Every request is short.
"""
ALL_KINDS = """\
All of these also accept `runAt`, the earliest start (an RFC 3339 time with its zone, without leap
seconds); `after`, ids of your jobs that must complete first (if one does not, the job fails with
`dependency_failed`); `priority`, from 0 to 9; and `email` and `webhook`, which override your
settings. In a form they are fields: `true` or `false`, and ids separated by commas. A bundle
accepts `job_ids`, the results of other jobs, finished or not. Webhooks are signed as Standard
Webhooks describes.

A `fileName` is valid on Windows, macOS and Linux. Characters that one of them forbids are replaced
by `_` (`a:b.txt` becomes `a_b.txt`), device names of Windows get a prefix (`CON` becomes `_CON`),
and names longer than 180 bytes are cut before the extension. Bidirectional controls, surrounding
spaces and trailing dots are removed. Files with the same name in a bundle are numbered:
`a (2).txt`.

Sign in with `Authorization: Bearer` and a token from `POST /v1/auth/token`, or with the session of
the pages. Requests are JSON (`application/json`), or `multipart/form-data` for files. They are
validated strictly: unknown fields, duplicate names and numbers in quotes are refused. Responses may
get new members; ignore unknown ones. A method that an address does not support is 405, and `Allow`
lists those that it does. Every response has an `X-Request-ID`.

`/downloads`, `/downloads/{job_id}`, `/upload` and `/reports` are also pages. Clients that prefer
HTML to JSON get the page, and so do submitted forms; send a token or `?format=json` to use the API.
"""
ERRORS = """\
## Errors

Every error is `application/problem+json` (RFC 9457). Use `code` in programs: codes may be added,
but are never renamed.
"""
FAILED_JOBS = """\
## Failed jobs

A `failed` job has an `errorCode`; a job that waits for its next attempt has a `lastError`.
"""
WITHOUT_PREVIEWS = """\
## Uploads without previews

A `completed` upload without previews, or without some of them, has a `metadata.skippedCode`.
"""
TAGS = [
    {
        "name": "jobs",
        "description": "Start, poll, cancel and retry jobs.",
    },
    {"name": "auth", "description": "Tokens for programs."},
    {"name": "operations", "description": "For staff."},
    {"name": "health", "description": "For load balancers and monitoring."},
]
PART = {"type": "string", "enum": ["ok", "error"]}
HEALTH: Json = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["healthy", "unhealthy"]},
        "checks": {
            "type": "object",
            "properties": {"storage": PART, "database": PART, "broker": PART},
            "required": ["storage", "database", "broker"],
        },
    },
    "required": ["status"],
}
WELL = {"status": "healthy", "checks": {"storage": "ok", "database": "ok", "broker": "ok"}}
SICK = {"status": "unhealthy", "checks": {"storage": "error", "database": "ok", "broker": "ok"}}


class Document(SpectacularAPIView):
    """The document. It ignores the parameters `version` and `lang` of drf-spectacular."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        renderer: Any = type(request.accepted_renderer)
        named = f'inline; filename="Downloads.{renderer.format}"'
        return HttpResponse(
            _rendered(renderer),
            content_type=f"{renderer.media_type}; charset=utf-8",
            headers={"Content-Disposition": named},
        )


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
    result["info"]["description"] = _description()
    result["tags"] = TAGS
    result["components"]["schemas"]["Health"] = HEALTH
    result["paths"] |= {
        "/health": _ready("health"),
        "/health/ready": _ready("health_ready"),
        "/health/live": _live(),
    }
    return result


def _description() -> str:
    problems = [f"`{c}` | {int(m.status)} | {m.sentence}" for c, m in CODES.items()]
    jobs = [f"`{code}` | {sentence}" for code, sentence in job_error_codes().items()]
    introductions = [kind.introduction for kind in KINDS.values() if kind.introduction]
    skipped = [f"`{code}` | {sentence}" for code, sentence in PREVIEW_CODES.items()]
    return "\n".join(
        [
            *[
                INTRODUCTION,
                *introductions,
                ALL_KINDS,
                ERRORS,
                _table("code | status | meaning", problems),
            ],
            *["", FAILED_JOBS, _table("errorCode | meaning", jobs)],
            *["", WITHOUT_PREVIEWS, _table("skippedCode | meaning", skipped)],
        ]
    )


def _table(head: str, rows: list[str]) -> str:
    rule = " | ".join("---" for _ in head.split(" | "))
    return "\n".join(f"| {row} |" for row in [head, rule, *rows])


def _ready(operation_id: str) -> Json:
    summary = "Check the database, the broker and the store. Answers within 3 s"
    answers = {
        "200": _answer("All parts answer.", well=WELL),
        "503": _answer("`checks` names the part that does not answer.", sick=SICK),
    }
    return _probe(operation_id, summary, answers)


def _live() -> Json:
    well = _answer("The process answers.", well={"status": "healthy"})
    return _probe("health_live", "Check the process alone", {"200": well})


def _probe(operation_id: str, summary: str, answers: Json) -> Json:
    named = {"operationId": operation_id, "summary": summary, "tags": ["health"]}
    return {"get": named | {"security": [], "responses": answers}}


def _answer(sentence: str, **shown: Json) -> Json:
    examples = {name: {"value": value} for name, value in shown.items()}
    content = {"schema": {"$ref": "#/components/schemas/Health"}, "examples": examples}
    named = {"description": "Identifies the request in the logs.", "schema": {"type": "string"}}
    return {
        "description": sentence,
        "headers": {"X-Request-ID": named | {"required": True}},
        "content": {"application/json": content},
    }
