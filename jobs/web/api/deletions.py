"""Delete jobs and files, and undo it."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.engine.deletions import undo_deletion
from jobs.web.authentication import authenticated_user
from jobs.web.deletions import DeletionRequest, DeletionResponse, RestoredResponse
from jobs.web.openapi.decorators import describes

TOO_LATE = "There is nothing to restore: it is too late, or it was restored already."


class Deletions(APIView):
    """Delete your finished jobs and your files."""

    rate = "page"
    max_body_bytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    sample = {"expired": True}

    @describes("delete", {200: DeletionResponse}, request=DeletionRequest, problems=["still_open"])
    def post(self, request: Request) -> Response:
        """Delete your finished jobs with their files, or your files.

        They are gone from all lists at once. For ten seconds you can undo it. What an active job
        needs is skipped, as are active jobs and what is not yours.
        """
        serializer = DeletionRequest(data=request.data)
        serializer.is_valid(raise_exception=True)
        deleted = serializer.delete(authenticated_user(request))
        return Response(DeletionResponse(deleted).data)


class UndoDeletion(APIView):
    """Restore what was deleted in the last ten seconds."""

    rate = "page"
    sample = None

    @describes("undo_deletion", {200: RestoredResponse}, problems=["not_found"])
    def post(self, request: Request, deletion_id: UUID) -> Response:
        """Restore what was deleted in the last ten seconds."""
        restored = undo_deletion(authenticated_user(request), deletion_id)
        if not restored:
            raise Http404(TOO_LATE)
        return Response({"restored": restored})
