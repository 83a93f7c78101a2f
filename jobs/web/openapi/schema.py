"""The schema of an operation in the OpenAPI document, for drf-spectacular.

The problems that similar operations share (no token, no such job, a long body) are derived from the
view; a handler adds its own with `@problems`. Nothing here runs for a request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy  # drf-spectacular's hooks change what they are given
from types import SimpleNamespace
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import force_instance
from drf_spectacular.utils import Direction, OpenApiExample, OpenApiParameter
from rest_framework.permissions import SAFE_METHODS, AllowAny, IsAdminUser

from jobs.web.error_responses import error_response_body
from jobs.web.openapi.examples import STATES, job_example, request_example
from jobs.web.problems import CODES, PROBLEM
from jobs.web.request_limits import request_body_limit
from jobs.web.serializers import JobSerializer, ProblemSerializer, StrictSerializer

Json = dict[str, Any]
Handler = Callable[..., Any]
Decorator = Callable[[Handler], Handler]

EVERYWHERE = ["invalid", "internal", "overloaded"]
WITH_A_BODY = ["parse_error", "slow_body", "too_large", "unsupported_media_type"]
WITH_A_TOKEN = ["token_not_valid", "user_inactive", "user_not_found", "password_changed"]
WITH_A_JOB = ["permission_denied", "not_found"]

TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
LINKS = {
    "Poll": "status", "Result": "result", "Fetch": "download", "Cancel": "cancel", "Again": "retry"
}  # fmt: skip


def problems(*codes: str) -> Decorator:
    """Add the codes of problems to those that are derived from the view."""

    def marked(handler: Handler) -> Handler:
        handler.problems = codes  # type: ignore[attr-defined]
        return handler

    return marked


def header(
    name: str, description: str, *statuses: int, schema: Json = TEXT, required: bool = True
) -> OpenApiParameter:
    """A header of the responses with one of the statuses, or of all."""
    return OpenApiParameter(
        name,
        type=schema,
        location=OpenApiParameter.HEADER,
        description=description,
        required=required,
        response=list(statuses) or True,
    )


REQUEST_ID = "Identifies the request in the logs and on its job. Send your own, or get a new one."
COMMON_HEADERS = [
    OpenApiParameter("X-Request-ID", location=OpenApiParameter.HEADER, description=REQUEST_ID),
    header("X-Request-ID", REQUEST_ID),
    header("WWW-Authenticate", "How to authenticate.", 401),
    header("Retry-After", "Seconds to wait before the next request.", 429, 503, schema=COUNT),
]
LIMIT_HEADERS = [
    header("RateLimit", 'The remaining requests: `"name";r=requests;t=seconds`.', required=False),
    header("RateLimit-Policy", 'The limit: `"name";q=requests;w=seconds`.', required=False),
]
EXAMPLE_REQUEST = SimpleNamespace(request_id="5f0c9a3e-8d8b-4c0f-9d5d-0c6d1f7e21aa")


class Schema(AutoSchema):
    def get_summary(self) -> str:
        return re.split(r"[.:?](?:\s|$)", self.get_description())[0]

    def get_tags(self) -> list[str]:
        return (
            ["auth"] if "/auth/" in self.path else ["operations" if self._is_for_staff else "jobs"]
        )

    @property
    def _is_for_staff(self) -> bool:
        return any(isinstance(each, IsAdminUser) for each in self.view.get_permissions())

    def _map_serializer(
        self, serializer: Any, direction: Direction, bypass_extensions: bool = False
    ) -> Json:
        """Add the rules of strict requests, and the required members of a job."""
        serializer = force_instance(serializer)  # type: ignore[no-untyped-call]
        schema: Json = super()._map_serializer(  # type: ignore[no-untyped-call]
            serializer, direction, bypass_extensions
        )
        if isinstance(serializer, StrictSerializer):
            return schema | {"additionalProperties": False} | deepcopy(serializer.RULES)
        if isinstance(serializer, JobSerializer):
            members: Json = schema["properties"]
            for member in members.values():
                member.pop("readOnly", None)
            schema["required"] = sorted(set(members) - serializer.CONDITIONAL)
        return schema

    def _map_serializer_field(
        self, field: Any, direction: Direction, bypass_extensions: bool = False
    ) -> Any:
        schema: Any = super()._map_serializer_field(  # type: ignore[no-untyped-call]
            field, direction, bypass_extensions
        )
        return None if schema is None else schema | deepcopy(getattr(field, "openapi", {}))

    def _get_examples(
        self, serializer: Any, direction: Direction, media_type: str,
        status_code: str | None = None, extras: Any = None,
    ) -> Json:  # fmt: skip
        """Make an example of a request, unless it has one, and of a job in each state."""
        extras = extras or []
        job = getattr(serializer, "child", serializer)
        if direction == "request" and serializer and not extras:
            extras = [OpenApiExample("Example", request_example(force_instance(serializer)))]  # type: ignore[no-untyped-call]
        if direction == "response" and isinstance(job, JobSerializer):
            extras = [
                OpenApiExample(state.capitalize(), job_example(job, state))
                for state in self._states(str(status_code))
            ]
        examples: Json = super()._get_examples(  # type: ignore[no-untyped-call]
            serializer, direction, media_type, status_code, extras
        )
        return examples

    def _states(self, status_code: str) -> Iterable[str]:
        """Return the states of the jobs in examples of the response."""
        if status_code == "202":
            return ["queued"]
        if self.method == "DELETE":
            return ["cancelled"]
        responses: Any = self.get_response_serializers()
        return STATES if 304 in responses else ["completed"]

    def get_override_parameters(self) -> list[Any]:
        limits = LIMIT_HEADERS if self.view.get_throttles() else []
        return [*super().get_override_parameters(), *COMMON_HEADERS, *limits]

    def _get_request_body(self, direction: Direction = "request") -> Json | None:
        """Require a body also where one of several fields is required."""
        body: Json | None = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        if body and any("anyOf" in each.RULES for each in self._request_serializers()):
            body["required"] = True
        return body

    def _request_serializers(self) -> list[StrictSerializer]:
        by_media_type: Any = self.get_request_serializer()
        found = [force_instance(each.request) for each in by_media_type.values()]  # type: ignore[no-untyped-call]
        return [each for each in found if isinstance(each, StrictSerializer)]

    def _get_response_bodies(self, direction: Direction = "response") -> Json:
        """Add the problems, and the links from a new job to its operations."""
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
        if self._is_for_staff:
            yield "permission_denied"
        if "{job_id}" in self.path:
            yield from WITH_A_JOB
        if self.view.get_throttles():
            yield "throttled"
        yield from getattr(getattr(self.view, self.method.lower()), "problems", ())

    def _has_body(self) -> bool:
        return self.method == "POST" and self.get_request_serializer() is not None

    def _problem(self, status: str, codes: list[str]) -> Json:
        component = self.resolve_serializer(ProblemSerializer, "response")
        examples = {code: {"value": self._problem_example(code)} for code in codes}
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
        return f"{sentence} JSON has at most {request_body_limit(self.view):,}."

    def _problem_example(self, code: str) -> Json:
        status, sentence = CODES[code]
        fields = []
        if code == "invalid" and self._has_body():
            by_media_type: Any = self.get_request_serializer()
            body: Any = force_instance(next(iter(by_media_type.values())).request)  # type: ignore[no-untyped-call]
            error = {"code": "required", "detail": "This field is required."}
            fields = [{"field": next(iter(body.fields)), **error}]
        return error_response_body(EXAMPLE_REQUEST, int(status), code, sentence, fields)


def _link(operation_id: str) -> Json:
    return {"operationId": operation_id, "parameters": {"job_id": "$response.body#/jobId"}}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "jobs.web.authentication.CookieAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> Json:
        sentence = "The session of the pages. Unsafe methods also need `X-CSRFToken`."
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": sentence}


class GatewayScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Leaves the gateway out of the document: clients cannot use it."""

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
        sentence = "An access token from `POST /v1/auth/token`."
        return {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": sentence
        }  # fmt: skip
