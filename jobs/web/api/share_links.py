"""Share the file of a job by links; list and revoke them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.engine.share_links import create_share_link
from jobs.models import ShareLink
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
