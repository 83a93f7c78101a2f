"""Watch jobs, as server-sent events."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.web.openapi.decorators import EVENTS, LAST_EVENT, WATCHED_JOBS, describes
from jobs.web.own_job import own_job
from jobs.web.representation import EVENT_STREAM, represent_event
from jobs.web.serializers import JobSerializer, WatchRequest


class EventStream(BaseRenderer):
    """Renders bytes that are server-sent events already."""

    media_type = EVENT_STREAM
    format = "events"
    charset = None
    render_style = "binary"

    def render(self, data: bytes, *_: Any, **__: Any) -> bytes:
        return data


class JobEvents(APIView):
    """Watch a job, as server-sent events.

    The web process has a native endpoint whose stream stays open (jobs/web/asgi/events.py). This
    view sends one event for each job and ends: browsers reconnect after `retry`, like a poll.
    """

    renderer_classes = [EventStream]

    @describes("events", EVENTS, parameters=[LAST_EVENT])
    def get(self, request: Request, job_id: UUID) -> Response:
        """Watch a job: an event for each change, until it is finished."""
        return Response(_event(request, job_id))


class EventsOfJobs(APIView):
    """Watch several jobs, as one stream of server-sent events."""

    renderer_classes = [EventStream]

    @describes(
        "events_of_jobs",
        EVENTS,
        problems=["not_found", "permission_denied"],
        parameters=[LAST_EVENT, WATCHED_JOBS],
    )
    def get(self, request: Request) -> Response:
        """Watch up to 50 jobs: an event for each change, until all are finished."""
        serializer = WatchRequest(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        ids = serializer.validated_data["jobs"]
        return Response(b"".join(_event(request, job_id) for job_id in ids))


def _event(request: Request, job_id: UUID) -> bytes:
    job = own_job(request, job_id)
    return represent_event(job, JobSerializer(job).data)
