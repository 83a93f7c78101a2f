"""How the OpenAPI document describes an operation.

What goes wrong at every address like it (no token, no such job, a body too long) is derived from
the view; what only one does, its handler says with `@problems`. Nothing here runs for a request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import deepcopy  # drf-spectacular's hooks change what they are given
from typing import Any

from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import Direction, OpenApiParameter
from rest_framework.permissions import SAFE_METHODS, AllowAny, IsAdminUser

from jobs.errors import JOB_CODES, PREVIEW_CODES
from jobs.web.api.examples import problem_example
from jobs.web.error_responses import MAX_ERRORS
from jobs.web.problems import CODES, PROBLEM
from jobs.web.request_limits import max_body_bytes
from jobs.web.serializers import JobSerializer

Json = dict[str, Any]
Handler = Callable[..., Any]
Decorator = Callable[[Handler], Handler]

EVERYWHERE = ["invalid", "internal", "overloaded"]
WITH_A_BODY = ["parse_error", "slow_body", "too_large", "unsupported_media_type"]
WITH_A_TOKEN = ["token_not_valid", "user_inactive", "user_not_found", "password_changed"]
WITH_A_JOB = ["permission_denied", "not_found"]

TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
NO_NUL = r"^[^\u0000]+$"
# What Python strips counts as blank, and that is a little more than \s.
WEB_ADDRESS = r"^\s*[Hh][Tt][Tt][Pp][Ss]?://"
DAYS = "^([1-9]|[1-9][0-9]|[12][0-9][0-9]|3[0-5][0-9]|36[0-6])d$"  # to 366
HEXADECIMAL = r"^\s*[0-9A-Fa-f]{64}\s*$"
NOT_BLANK = r"^[^\u0000]*[^\u0000\s\u001c-\u001f\u0085][^\u0000]*$"
# What a model's field and a type hint cannot tell of a job's members.
SHARPER: Json = {
    "progress": {"type": "number", "format": "double", "minimum": 0, "maximum": 1},
    "attempts": COUNT,
    "statusUrl": TEXT | {"format": "uri-reference"},
    "speed": COUNT,
    "threads": COUNT,
    "estimatedSecondsRemaining": {"type": ["integer", "null"], "minimum": 1},
    "downloadUrl": TEXT | {"format": "uri"},
    "expiresIn": COUNT,
    "size": COUNT,
    "sha256": TEXT | {"pattern": "^[0-9a-f]{64}$"},
    "fileId": {"type": "integer", "minimum": 1},
    "contentType": TEXT,
    "metadata": {
        "type": "object",
        "properties": {
            **dict.fromkeys(("width", "height", "pages", "textPages"), COUNT),
            "durationSeconds": {"type": "number", "minimum": 0},
            "skipped": TEXT | {"description": "Which previews were skipped, and why."},
            "skippedCode": TEXT | {"enum": list(PREVIEW_CODES)},
        },
    },
    "processedFiles": {"type": "object", "additionalProperties": {"type": "object"}},
    "downloadUrls": {"type": "object", "additionalProperties": TEXT | {"format": "uri"}},
    "estimatedTimeRemaining": {"type": ["integer", "null"], "minimum": 1},
    "retryCount": COUNT,
    "errorCode": TEXT | {"enum": list(JOB_CODES)},
    "totalFileIds": {"type": "integer", "minimum": 1},
}
LINKS = {
    "Poll": "status", "Result": "result", "Fetch": "download", "Cancel": "cancel", "Again": "retry"
}  # fmt: skip

PROBLEM_SCHEMA: Json = {
    "type": "object",
    "description": "What went wrong (RFC 9457). Programs read `code`, people `detail`.",
    "properties": {
        "type": TEXT | {"format": "uri-reference"},
        "title": TEXT | {"description": "The status in words, or what went wrong."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": TEXT | {"description": "One sentence to act on."},
        "code": TEXT | {"enum": list(CODES)},
        "requestId": TEXT | {"description": "`X-Request-ID` of this answer."},
        "error": TEXT | {"description": "`title` again, for clients that look for `error`."},
        "errors": {
            "type": "array",
            "description": "One for each wrong field; `field` is a path such as `file_ids.0`. At"
            f" most {MAX_ERRORS}; then one with the code `more` says how many others there are.",
            "items": {
                "type": "object",
                "properties": {"field": TEXT, "code": TEXT, "detail": TEXT},
                "required": ["field", "code", "detail"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "code", "requestId", "error"],
}


def problems(*codes: str) -> Decorator:
    """Say which codes this handler answers beside those of every handler like it."""

    def marked(handler: Handler) -> Handler:
        handler.problems = codes  # type: ignore[attr-defined]
        return handler

    return marked


def header(
    name: str, description: str, *statuses: int, schema: Json = TEXT, sure: bool = True
) -> OpenApiParameter:
    """A header of the answers with one of the statuses, or of all; `sure` that it is there."""
    return OpenApiParameter(
        name,
        type=schema,
        location=OpenApiParameter.HEADER,
        description=description,
        required=sure,
        response=list(statuses) or True,
    )


REQUEST_ID = "Names the request in our logs and on its job: yours, if you sent a plain one."
COMMON_HEADERS = [
    OpenApiParameter("X-Request-ID", location=OpenApiParameter.HEADER, description=REQUEST_ID),
    header("X-Request-ID", REQUEST_ID),
    header("WWW-Authenticate", "How to sign in.", 401),
    header("Retry-After", "Seconds to wait.", 429, 503, schema=COUNT),
]
LIMIT_HEADERS = [
    header("RateLimit", 'What is left: `"name";r=requests;t=seconds`.', sure=False),
    header("RateLimit-Policy", 'The limit: `"name";q=requests;w=seconds`.', sure=False),
]


class Schema(AutoSchema):
    def get_summary(self) -> str:
        return re.split(r"[.:?](?:\s|$)", self.get_description())[0]

    def get_tags(self) -> list[str]:
        return ["auth"] if "/auth/" in self.path else ["operations" if self._is_staffs else "jobs"]

    @property
    def _is_staffs(self) -> bool:
        return any(isinstance(each, IsAdminUser) for each in self.view.get_permissions())

    def get_override_parameters(self) -> list[Any]:
        limits = LIMIT_HEADERS if self.view.get_throttles() else []
        return [*super().get_override_parameters(), *COMMON_HEADERS, *limits]

    def _get_response_bodies(self, direction: Direction = "response") -> Json:
        """What drf-spectacular finds, the problems, and links to what is done with a new job."""
        bodies: Json = super()._get_response_bodies(direction)
        if "202" in bodies:
            bodies["202"]["links"] = {name: _link(target) for name, target in LINKS.items()}
        by_status: dict[int, list[str]] = {}
        for code in dict.fromkeys(self._codes()):
            by_status.setdefault(CODES[code].status, []).append(code)
        for status in sorted(by_status):
            bodies[str(status)] = self._problem(str(int(status)), by_status[status])
        return bodies

    def _codes(self) -> Iterator[str]:
        yield from EVERYWHERE
        if self.method not in getattr(self.view, "bodiless_methods", ()):
            yield "not_acceptable"
        if has_body := self._has_body():
            yield from WITH_A_BODY
        if self.view.get_authenticators():
            if not any(isinstance(each, AllowAny) for each in self.view.get_permissions()):
                yield "not_authenticated"
            yield from WITH_A_TOKEN
            if has_body or self.method not in SAFE_METHODS:
                yield "csrf"
        if self._is_staffs:
            yield "permission_denied"
        if "{job_id}" in self.path:
            yield from WITH_A_JOB
        if self.view.get_throttles():
            yield "throttled"
        yield from getattr(getattr(self.view, self.method.lower()), "problems", ())

    def _has_body(self) -> bool:
        return self.method == "POST" and self.get_request_serializer() is not None

    def _problem(self, status: str, codes: list[str]) -> Json:
        component = ResolvedComponent(  # type: ignore[no-untyped-call]
            "Problem", ResolvedComponent.SCHEMA, schema=deepcopy(PROBLEM_SCHEMA), object="Problem"
        )
        self.registry.register_on_missing(component)
        examples = {code: {"value": problem_example(code, self._field())} for code in codes}
        return {
            "description": "\n".join(f"- `{code}`: {self._sentence(code)}" for code in codes),
            "headers": self._get_response_headers_for_code(status),
            "content": {PROBLEM: {"schema": component.ref, "examples": examples}},
        }

    def _sentence(self, code: str) -> str:
        sentence = CODES[code].sentence
        by_media_type: Any = self.get_request_serializer()
        if code != "too_large" or "application/json" not in by_media_type:
            return sentence
        return f"{sentence} JSON has at most {max_body_bytes(self.view):,}."

    def _field(self) -> str:
        """One that a request has, for an example of what may be wrong."""
        if not self._has_body():
            return ""
        by_media_type: Any = self.get_request_serializer()
        body = next(iter(by_media_type.values()))
        return str(next(iter(body.request().fields)))


def _link(operation_id: str) -> Json:
    return {"operationId": operation_id, "parameters": {"job_id": "$response.body#/jobId"}}


class StrictSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    target_class = "jobs.web.serializers.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Direction) -> Json:
        schema: Json = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        rules: Json = self.target.RULES
        return schema | {"additionalProperties": False} | rules


class JobSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """A job's members are always there, but for those that only some statuses have."""

    target_class = "jobs.web.serializers.JobSerializer"
    match_subclasses = True
    target: JobSerializer

    def map_serializer(self, auto_schema: Any, direction: Direction) -> Json:
        schema: Json = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        members: Json = schema["properties"]
        members |= {name: deepcopy(SHARPER[name]) for name in SHARPER if name in members}
        for member in members.values():
            member.pop("readOnly", None)  # all are; it is an answer
        return schema | {"required": sorted(set(members) - self.target.CONDITIONAL)}


class TextSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "jobs.web.serializers.Text"

    def map_serializer_field(self, auto_schema: Any, direction: Direction) -> Json:
        schema: Json = auto_schema._map_serializer_field(
            self.target, direction, bypass_extensions=True
        )
        return schema | {
            "minLength": 1,
            "pattern": NOT_BLANK if self.target.trim_whitespace else NO_NUL,
        }


class UrlSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "jobs.web.serializers.Url"

    def map_serializer_field(self, auto_schema: Any, direction: Direction) -> Json:
        schema: Json = auto_schema._map_serializer_field(
            self.target, direction, bypass_extensions=True
        )
        # The type alone: that it may be null is added by whoever asks.
        return schema | {"type": "string", "format": "uri", "minLength": 1, "pattern": WEB_ADDRESS}


class Sha256Schema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "jobs.web.serializers.Sha256"

    def map_serializer_field(self, auto_schema: Any, direction: Direction) -> Json:
        return TEXT | {"pattern": HEXADECIMAL}


class PeriodSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "jobs.web.serializers.Period"

    def map_serializer_field(self, auto_schema: Any, direction: Direction) -> Json:
        return TEXT | {"pattern": DAYS}


class FileIdsSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "jobs.web.serializers.FileIdsField"

    def map_serializer_field(self, auto_schema: Any, direction: Direction) -> Json:
        schema: Json = auto_schema._map_serializer_field(
            self.target, direction, bypass_extensions=True
        )
        return schema | {"minItems": 0 if self.target.allow_empty else 1}


class FileSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """One that is sent: drf-spectacular thinks of an answer, where it is an address."""

    target_class = "rest_framework.serializers.FileField"

    def map_serializer_field(self, auto_schema: Any, direction: Direction) -> Json:
        return TEXT | {"format": "binary"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "jobs.web.authentication.CookieAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> Json:
        sentence = "Signed in to the pages. What changes something needs `X-CSRFToken`, too."
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": sentence}


class GatewayScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Nothing that a client could do, so the document is silent about it."""

    target_class = "jobs.web.authentication.GatewayAuthentication"
    name: list[str] = []

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        return []

    def get_security_definition(self, auto_schema: Any) -> list[Json]:
        return []


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "jobs.web.authentication.TokenAuthentication"
    name = "token"
    priority = 1  # before drf-spectacular's own

    def get_security_definition(self, auto_schema: Any) -> Json:
        sentence = "An access token of `POST /v1/auth/token`."
        return {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": sentence
        }  # fmt: skip
