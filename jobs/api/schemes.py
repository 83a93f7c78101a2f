"""How callers authenticate, as the OpenAPI document says it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "jobs.authentication.Session"
    name = "session"

    def get_security_definition(self, _auto_schema: AutoSchema) -> dict[str, Any]:
        sentence = "Of somebody signed in to the pages. Needs the header X-CSRFToken with a POST."
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": sentence}


class GatewayScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Nothing that a client could do: so it is no scheme of the document."""

    target_class = "jobs.authentication.Gateway"
    name: list[str] = []

    def get_security_requirement(self, _auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        return []

    def get_security_definition(self, _auto_schema: AutoSchema) -> list[dict[str, Any]]:
        return []
