"""API keys: list, create, rename, revoke. With a session or an access token, not with a key."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.engine.api_keys import create_api_key
from jobs.models import ApiKey
from jobs.web.api_keys import (
    KeyChanges,
    KeyRequest,
    KeyResponse,
    KeysResponse,
    NewKeyResponse,
    own_key,
)
from jobs.web.authentication import authenticated_user
from jobs.web.openapi.decorators import describes
from jobs.web.request_limits import SHORT_BODY_BYTES
from jobs.web.serializers.requests import request_serializer_context

OF_ONE = ["permission_denied", "not_found"]


class KeyList(APIView):
    """List your API keys, or create one."""

    key_scope = None
    rate = "initiate"
    max_body_bytes = SHORT_BODY_BYTES
    sample = {"name": "Nightly export", "scopes": ["read", "start"]}

    @describes("keys", {200: KeysResponse})
    def get(self, request: Request) -> Response:
        """List your API keys, the newest first, without revoked ones."""
        own = ApiKey.objects.filter(owner=authenticated_user(request)).listed()
        return Response(KeysResponse({"results": own}).data)

    @describes(
        "create_key",
        {201: NewKeyResponse},
        request=KeyRequest,
        problems=["too_many_keys", "blocked_address"],
    )
    def post(self, request: Request) -> Response:
        """Create an API key. The response is the only one that has the key itself.

        Send it as `Authorization: Bearer`. A key has the scopes that you name: `read` (status,
        lists, results, events), `start` (start, cancel and retry jobs, schedules), `upload`, and
        for staff `admin`.
        """
        serializer = KeyRequest(data=request.data, context=request_serializer_context(request))
        serializer.is_valid(raise_exception=True)
        key: Any = serializer.key()
        key.key = create_api_key(key)
        headers = {"Location": reverse("key", args=[key.pk])}
        key.refresh_from_db(fields=["created_at"])
        return Response(NewKeyResponse(key).data, status=201, headers=headers)


class KeyDetail(APIView):
    """Get, rename or revoke an API key."""

    key_scope = None
    max_body_bytes = SHORT_BODY_BYTES
    sample = {"name": "Weekly export"}
    bodiless_methods = ("DELETE",)

    @describes("key", {200: KeyResponse}, problems=OF_ONE)
    def get(self, request: Request, key_id: UUID) -> Response:
        """Get an API key, without the key itself."""
        return Response(KeyResponse(_listed_key(request, key_id)).data)

    @describes("rename_key", {200: KeyResponse}, request=KeyChanges, problems=OF_ONE)
    def patch(self, request: Request, key_id: UUID) -> Response:
        """Rename an API key."""
        key = _listed_key(request, key_id)
        serializer = KeyChanges(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        key.name = serializer.validated_data.get("name", key.name)
        key.save(update_fields=["name"])
        return Response(KeyResponse(key).data)

    @describes("revoke_key", {204: "Revoked. Its jobs stay."}, problems=OF_ONE)
    def delete(self, request: Request, key_id: UUID) -> Response:
        """Revoke an API key. It is refused from now on. Idempotent."""
        ApiKey.objects.filter(pk=own_key(request, key_id).pk).revoke()
        return Response(status=204)


def _listed_key(request: Request, key_id: UUID) -> ApiKey:
    """Return the user's key. Raises Http404 for a revoked one, too."""
    key = own_key(request, key_id)
    if key.revoked_at:
        raise Http404("This API key was revoked.")
    return key
