"""The schema of an operation in the OpenAPI document, for drf-spectacular.

What similar operations share is derived from the view and its responses: problems, headers,
examples. Nothing here runs for a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy  # drf-spectacular's hooks change what they are given
from types import SimpleNamespace
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import force_instance
from drf_spectacular.utils import OpenApiExample
from rest_framework.permissions import SAFE_METHODS, AllowAny, IsAdminUser

from jobs.web.error_responses import error_response_body
from jobs.web.key_authentication import required_scope
from jobs.web.openapi.decorators import COMMON_HEADERS, LIMIT_HEADERS, NEW_JOB_HEADERS, POLL_HEADERS
from jobs.web.openapi.examples import JOB_ID, STATES, Json, job_example, request_example
from jobs.web.problems import CODES, PROBLEM
from jobs.web.request_limits import request_body_limit
from jobs.web.serializers import JobSerializer, ProblemSerializer, StrictSerializer

WITH_A_TOKEN = ["token_not_valid", "user_inactive", "user_not_found", "password_changed"]
ERRORS = {"invalid": [{"field": "name", "code": "blank", "detail": "This may not be blank."}]}
EXAMPLE = SimpleNamespace(request_id=JOB_ID)
LINKS = {
    name.capitalize(): {"operationId": name, "parameters": {"job_id": "$response.body#/jobId"}}
    for name in ("status", "result", "download", "cancel", "retry")
}


class Schema(AutoSchema):
    def get_summary(self) -> str:
        return re.split(r"[.:?](?:\s|$)", self.get_description())[0]

    def get_tags(self) -> list[str]:
        if "/auth/" in self.path or "/keys" in self.path:
            return ["auth"]
        if "/webhook/" in self.path:
            return ["webhooks"]
        if self.path.startswith("/s/") or "/shares" in self.path:
            return ["sharing"]
        for tag in ("schedules", "files"):
            if self.path.startswith(f"/v1/{tag}"):
                return [tag]
        return ["operations" if self._is_for_staff else "jobs"]

    @property
    def _is_for_staff(self) -> bool:
        return any(isinstance(each, IsAdminUser) for each in self.view.get_permissions())

    @property
    def _requests(self) -> Json:
        """The serializers of requests, by media type."""
        requests: Any = self.get_request_serializer()
        return requests if self.method in ("POST", "PATCH") and isinstance(requests, dict) else {}

    @property
    def _statuses(self) -> set[int]:
        """The statuses of described responses."""
        responses: Any = self.get_response_serializers()
        return set(responses) if isinstance(responses, dict) else set()

    def get_override_parameters(self) -> list[Any]:
        return [
            *super().get_override_parameters(),
            *COMMON_HEADERS,
            *(LIMIT_HEADERS if self.view.get_throttles() else []),
            *(POLL_HEADERS if 304 in self._statuses else []),
            *(NEW_JOB_HEADERS if self._requests and 202 in self._statuses else []),
        ]

    def _get_request_for_media_type(self, serializer: Any, *args: Any) -> tuple[Any, bool]:
        """Require a body also where one of several fields is required."""
        schema, required = super()._get_request_for_media_type(serializer, *args)  # type: ignore[no-untyped-call]
        return schema, required or "anyOf" in getattr(serializer, "RULES", {})

    def _get_response_bodies(self, *args: Any, **kwargs: Any) -> Json:
        """Add the problems, and the links from a new job to its operations."""
        bodies: Json = super()._get_response_bodies(*args, **kwargs)
        if "202" in bodies:
            bodies["202"]["links"] = deepcopy(LINKS)
        by_status: dict[str, list[str]] = {}
        for code in sorted(dict.fromkeys(self._codes()), key=lambda code: CODES[code].status):
            by_status.setdefault(str(int(CODES[code].status)), []).append(code)
        return bodies | {status: self._problem(status, by_status[status]) for status in by_status}

    def _codes(self) -> Iterator[str]:
        """Yield the codes of the problems."""
        yield from ["invalid", "internal", "overloaded"]
        if self.method not in getattr(self.view, "bodiless_methods", ()):
            yield "not_acceptable"
        if self._requests:
            yield from ["parse_error", "slow_body", "too_large", "unsupported_media_type"]
        if self.view.get_authenticators():
            if not any(isinstance(each, AllowAny) for each in self.view.get_permissions()):
                yield "not_authenticated"
            yield from ["bad_authorization_header", *WITH_A_TOKEN, "key_not_valid"]
            accepts_keys = required_scope(self.view, self.method)
            yield "insufficient_scope" if accepts_keys else "key_not_accepted"
            if self.method not in SAFE_METHODS:
                yield "csrf"
        if self._is_for_staff:
            yield "permission_denied"
        if "{job_id}" in self.path:
            yield from ["permission_denied", "not_found"]
        if self.view.get_throttles():
            yield "throttled"
        if self._requests and 202 in self._statuses:
            yield from ["idempotency_key_reused", "still_open", "too_many_active", "storage_full"]
            yield "blocked_address"  # of a link, or of a webhook
        yield from getattr(getattr(self.view, self.method.lower()), "problems", ())

    def _problem(self, status: str, codes: list[str]) -> Json:
        component = self.resolve_serializer(ProblemSerializer, "response")
        sentences = {code: CODES[code].sentence for code in codes}
        if "too_large" in codes and "application/json" in self._requests:
            sentences["too_large"] += f" JSON has at most {request_body_limit(self.view):,}."
        examples = {
            code: {"value": error_response_body(EXAMPLE, int(status), code, text, ERRORS.get(code))}
            for code, text in sentences.items()
        }
        return {
            "description": "\n".join(f"- `{code}`: {text}" for code, text in sentences.items()),
            "headers": self._get_response_headers_for_code(status),
            "content": {PROBLEM: {"schema": component.ref, "examples": examples}},
        }

    def _get_examples(self, serializer: Any, direction: str, *args: Any) -> Json:
        """Make an example of a request, and of a job in each state."""
        media_type, status, extras = args
        job = getattr(serializer, "child", serializer)
        if direction == "request" and serializer:
            sample = media_type == "application/json" and getattr(self.view, "sample", None)
            value = sample or request_example(force_instance(serializer))  # type: ignore[no-untyped-call]
            extras = [OpenApiExample("Example", value)]
        elif isinstance(job, JobSerializer):
            shown = {state: job_example(job, state) for state in self._states(status)}
            extras = [OpenApiExample(state.capitalize(), shown[state]) for state in shown]
        return super()._get_examples(serializer, direction, media_type, status, extras)  # type: ignore

    def _states(self, status: str) -> list[str]:
        """Return the states of the jobs in the examples of a response."""
        if 304 in self._statuses:
            return list(STATES)
        if status == "202":
            return ["queued"]
        return ["cancelled" if self.method == "DELETE" else "completed"]

    def _map_serializer(self, serializer: Any, *args: Any, **kwargs: Any) -> Json:
        """Add the rules of strict requests, and the required members of a job."""
        serializer = force_instance(serializer)  # type: ignore[no-untyped-call]
        schema: Json = super()._map_serializer(serializer, *args, **kwargs)  # type: ignore[no-untyped-call]
        if isinstance(serializer, StrictSerializer):
            return schema | {"additionalProperties": False} | deepcopy(serializer.RULES)
        if isinstance(serializer, JobSerializer):
            for member in schema["properties"].values():
                member.pop("readOnly", None)
            schema["required"] = sorted(set(schema["properties"]) - serializer.CONDITIONAL)
        return schema

    def _map_serializer_field(self, field: Any, *args: Any, **kwargs: Any) -> Any:
        schema: Any = super()._map_serializer_field(field, *args, **kwargs)  # type: ignore[no-untyped-call]
        return None if schema is None else schema | deepcopy(getattr(field, "openapi", {}))


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class, name = "jobs.web.authentication.CookieAuthentication", "session"

    def get_security_definition(self, auto_schema: Any) -> Json:
        sentence = "The session of the pages. Unsafe methods also need `X-CSRFToken`."
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": sentence}


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class, name = "jobs.web.authentication.TokenAuthentication", "token"
    priority = 1  # before drf-spectacular's own

    def get_security_definition(self, auto_schema: Any) -> Json:
        sentence = "An access token from `POST /v1/auth/token`."
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": sentence}


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class, name = "jobs.web.key_authentication.KeyAuthentication", "key"

    def get_security_definition(self, auto_schema: Any) -> Json:
        sentence = "An API key from `POST /v1/keys`. Each operation names the scope that it needs."
        return {"type": "http", "scheme": "bearer", "description": sentence}

    def get_security_requirement(self, auto_schema: Any) -> Json | list[Json]:
        scope = required_scope(auto_schema.view, auto_schema.method)
        return {self.name: [scope.value]} if scope else []
