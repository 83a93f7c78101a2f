"""Schedules: list, create, change, delete, run at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.engine.schedules import change_schedule, create_schedule, run_schedule_now
from jobs.kinds.registry import KINDS
from jobs.models import Schedule
from jobs.web.authentication import authenticated_user
from jobs.web.idempotency import idempotency_key
from jobs.web.openapi.decorators import describes
from jobs.web.poll_responses import accepted_response
from jobs.web.schedules import (
    ScheduleChanges,
    ScheduleRequest,
    ScheduleResponse,
    SchedulesResponse,
    own_schedule,
    scheduled_kinds,
)
from jobs.web.serializers import JobSerializer
from jobs.web.serializers.requests import request_serializer_context

EXAMPLE = KINDS[scheduled_kinds()[-1]]
OF_ONE = ["permission_denied", "not_found"]


class ScheduleList(APIView):
    """List your schedules, or create one."""

    rate = "initiate"
    max_body_bytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    sample = {
        "kind": EXAMPLE.name,
        "request": EXAMPLE.example,
        "cron": "30 8 * * 1-5",
        "timeZone": "Europe/Berlin",
    }

    @describes("schedules", {200: SchedulesResponse})
    def get(self, request: Request) -> Response:
        """List your schedules, the newest first, with their last runs."""
        own = Schedule.objects.filter(owner=authenticated_user(request)).defer("request")
        return Response(SchedulesResponse({"results": own.with_runs()}).data)

    @describes(
        "create_schedule",
        {201: ScheduleResponse},
        request=ScheduleRequest,
        problems=[
            *("permission_denied", "blocked_address", "too_many_schedules", "still_open"),
            "idempotency_key_reused",
        ],
    )
    def post(self, request: Request) -> Response:
        """Repeat a request by a cron line.

        The request is the body of `POST /v1/jobs/{kind}`. It is validated now and at each run.
        """
        serializer = ScheduleRequest(data=request.data, context=request_serializer_context(request))
        serializer.is_valid(raise_exception=True)
        schedule, is_new = create_schedule(serializer.schedule(), key=idempotency_key(request))
        headers = {"Location": reverse("schedule", args=[schedule.pk])}
        if not is_new:
            headers["Idempotency-Replayed"] = "true"
        return Response(ScheduleResponse(schedule).data, status=201, headers=headers)


class ScheduleDetail(APIView):
    """Get, change or delete a schedule."""

    max_body_bytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    sample = {"paused": True}
    bodiless_methods = ("DELETE",)

    @describes("schedule", {200: ScheduleResponse}, problems=OF_ONE)
    def get(self, request: Request, schedule_id: UUID) -> Response:
        """Get a schedule with its request and its last runs."""
        return Response(ScheduleResponse(own_schedule(request, schedule_id)).data)

    @describes(
        "change_schedule",
        {200: ScheduleResponse},
        request=ScheduleChanges,
        problems=[*OF_ONE, "blocked_address"],
    )
    def patch(self, request: Request, schedule_id: UUID) -> Response:
        """Change a schedule, pause it, or resume it.

        Runs that were missed while it was paused are not made up for.
        """
        schedule = own_schedule(request, schedule_id)
        serializer = ScheduleChanges(
            schedule, data=request.data, context=request_serializer_context(request)
        )
        serializer.is_valid(raise_exception=True)
        change_schedule(schedule.pk, **serializer.columns())
        return Response(ScheduleResponse(own_schedule(request, schedule_id)).data)

    @describes("delete_schedule", {204: "Deleted. Its jobs stay."}, problems=OF_ONE)
    def delete(self, request: Request, schedule_id: UUID) -> Response:
        """Delete a schedule. Its jobs stay."""
        own_schedule(request, schedule_id).delete()
        return Response(status=204)


class RunSchedule(APIView):
    """Start a job of a schedule at once. Its next run stays as it is."""

    rate = "initiate"
    sample = None

    @describes(
        "run_schedule",
        {202: JobSerializer},
        problems=[
            *(*OF_ONE, "still_open", "too_many_active", "storage_full", "blocked_address"),
            "idempotency_key_reused",
        ],
    )
    def post(self, request: Request, schedule_id: UUID) -> Response:
        schedule = own_schedule(request, schedule_id)
        job, is_new = run_schedule_now(schedule.pk, key=idempotency_key(request))
        body: Any = JobSerializer(job).data
        return accepted_response(job, body, is_new=is_new)
