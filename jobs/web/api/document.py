"""The OpenAPI document, and what it says beside its operations: manners, codes, and the probes.

The probes are answered before Django looks for a view, so nothing finds them by itself.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

from jobs.errors import JOB_CODES, PREVIEW_CODES
from jobs.web.problems import CODES

Json = dict[str, Any]

MANNERS = """\
Ask for slow work, poll it, be sent to the file: every request is short.

`POST /v1/download/initiate` answers 202 with a job. Poll its `Location`, wait `Retry-After` seconds
between two polls and send `If-None-Match`; when it is `completed`, `GET /v1/download/{job_id}`
redirects to the bytes. Send an `Idempotency-Key` with what creates a job: a request that got no
answer can then be sent again. `POST /downloads` does the same for a file that a URL leads to; how
large it is may be known late or never, and until then `total` and `estimatedSecondsRemaining` are
null. Once it is fetched it has a `fileId`, which a bundle may take.

`POST /upload` takes a file in a form, and `POST /upload/chunked` a larger one in chunks, in any
order; `GET /upload/chunked/{job_id}` says which are missing after a line broke. Nobody can have the
file before it was checked; `processedFiles` is what was made of it. A file is refused for a virus,
or where it cannot be scanned for one, for its type, or where its transfer broke. One that no
previews can be made of completes without them: it is damaged, say, or has a password.
`metadata.skipped` then says in a sentence what was not made and why, and `metadata.skippedCode` is
one of the codes below.

`POST /reports` makes a PDF, CSV or JSON of what you asked for in a period.

Each of these also takes `runAt`, the earliest start (a time of RFC 3339 with its zone, but for leap
seconds); `after`, ids of jobs of yours that have to be completed before (it fails with
`dependency_failed` where one will not be); `priority`, from 0 to 9; and `email` and `webhook`,
which are told when it is over, in place of what your settings say. In a form they are fields:
`true` or `false`, ids with commas between. A bundle takes `job_ids`: what these jobs made, or are
going to make. A webhook is signed as Standard Webhooks has it.

A `fileName` is one that Windows, macOS and Linux can all hold. What one of them cannot hold becomes
`_` (`a:b.txt` is `a_b.txt`), a device of Windows gets one in front (`CON` is `_CON`), and what is
longer than 180 bytes is cut before its extension. Bidi controls, blanks around a name and dots
behind it are removed. Files of one name in a bundle are numbered: `a (2).txt`.

Sign in with `Authorization: Bearer` and a token of `POST /v1/auth/token`, or with the session of
the pages. Requests are JSON (`application/json`), or `multipart/form-data` where a file comes, read
strictly: a field that is not known, a name twice or a number in quotes is refused. Answers may get
new members; ignore what you do not know. A method that an address does not have is 405, and `Allow`
names those that it has. Every answer has an `X-Request-ID`.

At `/downloads`, `/downloads/{job_id}`, `/upload` and `/reports` people have pages. What prefers
HTML to JSON gets them, and so does a form; a token or `?format=json` says that a program asks.
"""
ERRORS = """\
## Errors

Every error is `application/problem+json` (RFC 9457). Branch on `code`: one may be added, none is
ever renamed.
"""
FAILURES = """\
## Failed jobs

A job that is `failed` has an `errorCode`; one that waits for its next try has a `lastError`.
"""
WITHOUT_PREVIEWS = """\
## Uploads without previews

An upload that is `completed` and lacks previews, or some of them, has `metadata.skippedCode`.
"""
TAGS = [
    {
        "name": "jobs",
        "description": "Start a bundle, a link or a report; poll it, cancel it, run it again.",
    },
    {"name": "auth", "description": "Tokens for programs."},
    {"name": "operations", "description": "For staff."},
    {"name": "health", "description": "For load balancers and those who watch."},
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
    """The same for everybody, whatever `version` or `lang` the query asks the library for."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        renderer: Any = type(request.accepted_renderer)
        named = f'inline; filename="Downloads.{renderer.format}"'
        return HttpResponse(
            _rendered(renderer),
            content_type=f"{renderer.media_type}; charset=utf-8",
            headers={"Content-Disposition": named},
        )


@cache  # it takes a fifth of a second of the processor, and anybody may ask for it
def _rendered(renderer: Any) -> bytes:
    generator: Any = Document.generator_class()
    document = generator.get_schema(request=None, public=True)
    return bytes(renderer().render(document, renderer_context={}))


def complete(result: Json, **_: Any) -> Json:
    """The last of drf-spectacular's hooks."""
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
    jobs = [f"`{code}` | {sentence}" for code, sentence in JOB_CODES.items()]
    skipped = [f"`{code}` | {sentence}" for code, sentence in PREVIEW_CODES.items()]
    return "\n".join(
        [
            *[MANNERS, ERRORS, _table("code | status | meaning", problems)],
            *["", FAILURES, _table("errorCode | meaning", jobs)],
            *["", WITHOUT_PREVIEWS, _table("skippedCode | meaning", skipped)],
        ]
    )


def _table(head: str, rows: list[str]) -> str:
    rule = " | ".join("---" for _ in head.split(" | "))
    return "\n".join(f"| {row} |" for row in [head, rule, *rows])


def _ready(operation_id: str) -> Json:
    summary = "Is it fit to serve? Within 3 s, whatever hangs"
    answers = {
        "200": _answer("Everything that a request may need answers.", well=WELL),
        "503": _answer("`checks` tells which part does not.", sick=SICK),
    }
    return _probe(operation_id, summary, answers)


def _live() -> Json:
    well = _answer("The process answers.", well={"status": "healthy"})
    return _probe("health_live", "Does the process answer? Touches nothing else", {"200": well})


def _probe(operation_id: str, summary: str, answers: Json) -> Json:
    named = {"operationId": operation_id, "summary": summary, "tags": ["health"]}
    return {"get": named | {"security": [], "responses": answers}}


def _answer(sentence: str, **shown: Json) -> Json:
    examples = {name: {"value": value} for name, value in shown.items()}
    content = {"schema": {"$ref": "#/components/schemas/Health"}, "examples": examples}
    named = {"description": "Names the request in our logs.", "schema": {"type": "string"}}
    return {
        "description": sentence,
        "headers": {"X-Request-ID": named | {"required": True}},
        "content": {"application/json": content},
    }
