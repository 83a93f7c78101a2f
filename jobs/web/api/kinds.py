"""The kinds of jobs, and an endpoint for each that its class describes: /v1/jobs/{kind}."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.urls import URLPattern, path, reverse
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.kinds.base import Kind
from jobs.kinds.form import form_url_name
from jobs.kinds.registry import KINDS
from jobs.web.api.downloads import submit_download
from jobs.web.api.lists import OwnJobsOfKind
from jobs.web.authentication import authenticated_user
from jobs.web.openapi.decorators import describes, describes_job_list
from jobs.web.openapi.document import openapi_document
from jobs.web.openapi.examples import Json, request_example
from jobs.web.poll_responses import accepted_response
from jobs.web.serializers import JobSerializer, KindsResponse, request_of


class KindList(APIView):
    """List the kinds of jobs that you may request."""

    @describes("kinds", {200: KindsResponse})
    def get(self, request: Request) -> Response:
        """List the kinds of jobs that you may request, with the JSON Schema of each request."""
        requestable = [kind for kind in KINDS.values() if kind.request_url_name]
        allowed = [kind for kind in requestable if kind.may_request(authenticated_user(request))]
        return Response({"results": [_describe(kind) for kind in allowed]})


def _describe(kind: Kind) -> dict[str, Any]:
    form_name = form_url_name(kind)
    return {
        "kind": kind.name,
        "label": kind.label,
        "description": kind.description,
        "url": reverse(f"jobs-{kind.name}" if kind.accepts_json else kind.api_url_name),
        "formUrl": reverse(form_name) if form_name else None,
        "requestSchema": request_schema(f"/v1/jobs/{kind.name}") if kind.accepts_json else None,
    }


@cache
def request_schema(path: str) -> Json:
    """Return the JSON Schema of what is posted to a path, with what it refers to in `$defs`."""
    document = openapi_document()
    schemas = document["components"]["schemas"]
    body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    used: Json = {}
    name = _with_definitions(body["schema"], schemas, used)["$ref"].rpartition("/")[2]
    own: Json = used.pop(name)
    return own | ({"$defs": used} if used else {})


def _with_definitions(node: Any, schemas: Json, used: Json) -> Any:
    """Return the node with references to `$defs`. Adds the schemas that it needs to `used`."""
    if isinstance(node, list):
        return [_with_definitions(each, schemas, used) for each in node]
    if not isinstance(node, dict):
        return node
    if isinstance(reference := node.get("$ref"), str):
        name = reference.rpartition("/")[2]
        if name not in used:
            used[name] = None
            used[name] = _with_definitions(schemas[name], schemas, used)
        return node | {"$ref": f"#/$defs/{name}"}
    return {name: _with_definitions(each, schemas, used) for name, each in node.items()}


class MayRequest(BasePermission):
    """Those who may request jobs of the view's kind. Anybody may list their own."""

    message = "You don't have the permission to request this kind of job."

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.method in SAFE_METHODS or view.requested.may_request(request.user)


def urls_of_kinds() -> list[URLPattern]:
    """Return the URL of each kind whose requests are JSON."""
    return [
        path(f"v1/jobs/{kind.name}", _view_of(kind).as_view(), name=f"jobs-{kind.name}")
        for kind in KINDS.values()
        if kind.accepts_json
    ]


def _view_of(requested: Kind) -> type[APIView]:
    kind_class, name = type(requested), requested.name.replace("-", "_")
    example = requested.example or request_example(kind_class.Params())
    codes = ["permission_denied"] if requested.permission else []

    class JobsOfOneKind(OwnJobsOfKind):
        kind = requested.name
        rate = requested.rate
        sample = example
        max_body_bytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        permission_classes = [IsAuthenticated, MayRequest]

        @describes_job_list(f"jobs_{name}", JobSerializer)
        def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
            return super().get(request, *args, **kwargs)

        @describes(
            f"create_{name}", {202: JobSerializer}, request=request_of(kind_class), problems=codes
        )
        def post(self, request: Request) -> Response:
            job, is_new = submit_download(request, kind_class)
            return accepted_response(job, JobSerializer(job).data, is_new=is_new)

    JobsOfOneKind.requested = requested  # type: ignore[attr-defined]
    JobsOfOneKind.get.__doc__ = f"List your jobs of the kind {requested.name}, newest first."
    JobsOfOneKind.post.__doc__ = _summary(requested)
    return JobsOfOneKind


def _summary(kind: Kind) -> str:
    return f"Start a job of the kind {kind.name}: {kind.description or kind.label}"
