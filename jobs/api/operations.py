"""What operators ask of the API."""

from __future__ import annotations

from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.http import accepted
from jobs.models import DownloadJob
from jobs.serializers import JobSerializer
from jobs.states import Actor
from jobs.submission import resubmit


class AdminRetry(APIView):
    """Run anybody's failed, cancelled or expired job again. Staff only."""

    permission_classes = [IsAdminUser]

    @extend_schema(operation_id="admin_retry", request=None, responses={202: JobSerializer})
    def post(self, request: Request, job_id: UUID) -> Response:
        job = get_object_or_404(DownloadJob.objects.select_related("owner"), pk=job_id)
        resubmit(job, Actor.OPERATOR)
        return accepted(job, JobSerializer(job).data)
