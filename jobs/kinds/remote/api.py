"""Links: download the file of a URL into the store. Browsers get pages at the same paths."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.kinds.remote.kind import Remote
from jobs.kinds.remote.response import AcceptedLink, LinkJob
from jobs.web.api.downloads import cancel_download, poll_download, submit_download
from jobs.web.api.lists import OwnJobsOfKind
from jobs.web.openapi.decorators import (
    describes,
    describes_job_list,
    describes_poll,
)
from jobs.web.poll_responses import accepted_response
from jobs.web.serializers import request_of


class Links(OwnJobsOfKind):
    """List your links, newest first."""

    serializer_class = LinkJob
    rate = Remote.rate
    sample = Remote.example
    kind = Remote.name

    @describes_job_list("links", LinkJob)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @describes("fetch_link", {202: AcceptedLink}, request=request_of(Remote))
    def post(self, request: Request) -> Response:
        """Download the file of a link into the store."""
        job, is_new = submit_download(request, Remote)
        return accepted_response(job, AcceptedLink(job).data, is_new=is_new)


class Link(APIView):
    """Poll or cancel a job, at the path of its page."""

    @describes_poll("link", LinkJob)
    def get(self, request: Request, job_id: UUID) -> Response:
        """Poll a job, at the path of its page."""
        return poll_download(request, job_id, LinkJob)

    @describes("cancel_link", {200: LinkJob}, problems=["conflict"])
    def delete(self, request: Request, job_id: UUID) -> Response:
        """Cancel a job. Idempotent."""
        return cancel_download(request, job_id, LinkJob)


class LinkStatus(APIView):
    """Poll a job, at the path of older clients of links."""

    @describes_poll("link_status", LinkJob)
    def get(self, request: Request, job_id: UUID) -> Response:
        return poll_download(request, job_id, LinkJob)
