"""The API for operators."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.engine import statistics
from jobs.engine.bulk_actions import log_job_action
from jobs.engine.submission import resubmit_job
from jobs.models import DownloadJob, JobAction, KeyScope
from jobs.models.permissions import CanRetryAllJobs, CanViewAllJobs
from jobs.states import Actor
from jobs.web.openapi.decorators import describes
from jobs.web.poll_responses import accepted_response
from jobs.web.serializers import JobSerializer, QueueStatistics, WorkerStatistics


class QueueStats(APIView):
    """Get statistics of the queue. For staff."""

    key_scope = KeyScope.ADMIN
    permission_classes = [IsAdminUser]

    @describes("queue_stats", {200: QueueStatistics})
    def get(self, _request: Request) -> Response:
        return _with_timestamp(QueueStatistics, statistics.queue_statistics())


class WorkerStats(APIView):
    """Get the workers and their jobs.

    For staff with the permission `jobs.view_downloadjob`: it shows other owners' file names.
    """

    key_scope = KeyScope.ADMIN
    permission_classes = [CanViewAllJobs]

    @describes("worker_stats", {200: WorkerStatistics})
    def get(self, _request: Request) -> Response:
        return _with_timestamp(WorkerStatistics, statistics.worker_statistics())


def _with_timestamp(
    serializer: type[serializers.Serializer[Any]], statistics: dict[str, Any]
) -> Response:
    return Response(serializer(statistics | {"timestamp": timezone.now()}).data)


class AdminRetry(APIView):
    """Retry a failed, cancelled or expired job of any owner.

    For staff with the permission `jobs.retry_downloadjob`.
    """

    sample = None
    key_scope = KeyScope.ADMIN
    permission_classes = [CanRetryAllJobs]
    rate = "initiate"

    @describes("admin_retry", {202: JobSerializer}, problems=["conflict", "still_open"])
    def post(self, request: Request, job_id: UUID) -> Response:
        job = get_object_or_404(DownloadJob.objects.select_related("owner"), pk=job_id)
        operator = cast(User, request.user)
        resubmit_job(job, Actor.OPERATOR, detail=operator.get_username())
        log_job_action(operator, [job], JobAction.RETRY)
        return accepted_response(job, JobSerializer(job).data)
