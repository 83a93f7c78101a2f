"""Share the file of a job by links; list and revoke them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.engine.share_links import create_share_link, share_file
from jobs.models import ShareLink, StoredFile
from jobs.web.authentication import authenticated_user
from jobs.web.files import visible_file
from jobs.web.openapi.decorators import describes
from jobs.web.own_job import own_job
from jobs.web.request_limits import SHORT_BODY_BYTES
from jobs.web.serializers.share_links import ShareRequest, ShareResponse, SharesResponse
from jobs.web.shared_links import own_share_link, share_url


class JobShares(APIView):
    """Share the file of a job by a link."""

    rate = "page"
    max_body_bytes = SHORT_BODY_BYTES
    sample = {"maxDownloads": 10, "expiresAt": "2026-12-24T18:00:00Z"}

    @describes("shares", {200: SharesResponse})
    def get(self, request: Request, job_id: UUID) -> Response:
        """List the links to the file of a job, the newest first."""
        links = ShareLink.objects.of_job(own_job(request, job_id).pk)
        return Response(SharesResponse({"results": links}, context=_context(request)).data)

    @describes(
        "share",
        {201: ShareResponse},
        request=ShareRequest,
        problems=["conflict", "too_many_links", "still_open"],
    )
    def post(self, request: Request, job_id: UUID) -> Response:
        """Create a link by which anybody can download the file.

        It ends with the file, when you revoke it, at `expiresAt`, or after `maxDownloads`.
        """
        serializer = ShareRequest(data=request.data)
        serializer.is_valid(raise_exception=True)
        link = create_share_link(own_job(request, job_id), **serializer.limits())
        body: Any = ShareResponse(link, context=_context(request)).data
        return Response(body, status=201, headers={"Location": body["url"]})


class FileShares(APIView):
    """Share a stored file of yours by a link."""

    rate = "page"
    max_body_bytes = SHORT_BODY_BYTES
    sample = JobShares.sample

    @describes("file_shares", {200: SharesResponse}, problems=["permission_denied", "not_found"])
    def get(self, request: Request, file_id: int) -> Response:
        """List your links to a file, the newest first."""
        file = _own_file(request, file_id)
        links = ShareLink.objects.with_file().filter(owner=file.owner_id, file=file)
        return Response(SharesResponse({"results": links}, context=_context(request)).data)

    @describes(
        "share_file",
        {201: ShareResponse},
        request=ShareRequest,
        problems=["permission_denied", "not_found", "too_many_links", "still_open"],
    )
    def post(self, request: Request, file_id: int) -> Response:
        """Create a link by which anybody can download the file, as for the file of a job."""
        serializer = ShareRequest(data=request.data)
        serializer.is_valid(raise_exception=True)
        file, owner = _own_file(request, file_id), authenticated_user(request)
        link = share_file(file, owner, job=file.made_by, **serializer.limits())
        body: Any = ShareResponse(link, context=_context(request)).data
        return Response(body, status=201, headers={"Location": body["url"]})


def _own_file(request: Request, file_id: int) -> StoredFile:
    """Return the user's file. Raises Http404, and PermissionDenied for a file of all or a group."""
    file = visible_file(request, file_id)
    if file.owner_id != authenticated_user(request).pk:
        raise PermissionDenied("Only files of your own can be shared.")
    return file


class ShareDetail(APIView):
    """Revoke a link."""

    bodiless_methods = ("DELETE",)

    @describes("revoke_share", {204: "Revoked."}, problems=["not_found"])
    def delete(self, request: Request, share_id: UUID) -> Response:
        """Revoke a link. Idempotent. Downloads that have started go on."""
        own_share_link(request, share_id).revoke()
        return Response(status=204)


def _context(request: Request) -> dict[str, Any]:
    return {"url": lambda link: share_url(request, link)}
