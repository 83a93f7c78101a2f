"""What operators ask of the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.engine import statistics
from jobs.engine.submission import resubmit
from jobs.models import DownloadJob
from jobs.models.permissions import CanChangeAllJobs, CanViewAllJobs
from jobs.states import Actor
from jobs.web.api import contract
from jobs.web.api_responses import accepted
from jobs.web.serializers import JobSerializer, QueueStatistics, WorkerStatistics


class QueueStats(APIView):
    """What waits, what runs, what came and went lately. Staff only."""

    permission_classes = [IsAdminUser]

    @contract.queue_stats
    def get(self, _request: Request) -> Response:
        return _now(QueueStatistics, statistics.of_the_queue())


class WorkerStats(APIView):
    """Which workers are alive, and what each does. Takes about a second.

    For staff with the permission `jobs.view_downloadjob`: it names other owners' files.
    """

    permission_classes = [CanViewAllJobs]

    @contract.worker_stats
    def get(self, _request: Request) -> Response:
        return _now(WorkerStatistics, statistics.of_the_workers())


def _now(told: type[serializers.Serializer[Any]], found: dict[str, Any]) -> Response:
    return Response(told(found | {"timestamp": timezone.now()}).data)


class AdminRetry(APIView):
    """Run anybody's failed, cancelled or expired job again.

    For staff with the permission `jobs.change_downloadjob`.
    """

    sample = None
    permission_classes = [CanChangeAllJobs]
    rate = "initiate"

    @contract.admin_retry
    def post(self, request: Request, job_id: UUID) -> Response:
        job = get_object_or_404(DownloadJob.objects.select_related("owner"), pk=job_id)
        resubmit(job, Actor.OPERATOR)
        return accepted(job, JobSerializer(job).data)
