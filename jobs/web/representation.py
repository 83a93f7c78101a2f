"""The JSON of a job, made from its row without queries.

The serializers declare the members for the OpenAPI document and return this JSON. The native
endpoints (asgi/) return it too, so that both send the same body.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from jobs import storage
from jobs.engine.estimates import Waiting
from jobs.kinds.base import Body, Job
from jobs.kinds.registry import KINDS
from jobs.models import FileRow, StoredFile
from jobs.states import FINAL, Status
from jobs.web.queue_text import queue_text, rounded_position

EVENT_STREAM = "text/event-stream"
RETRY_MILLISECONDS = 3_000  # after which a browser reconnects
File = StoredFile | FileRow

# Members that only some statuses have.
OF_RESULTS = {"downloadUrl", "expiresIn", "size", "sha256", "contentType", "expiresAt"}
OF_UPLOADS = {"processedFiles", "metadata"}
CONDITIONAL = (
    {"estimatedSecondsRemaining", "fileId", "speed", "threads", "error", "errorCode", "runAt"}
    | {"after", "retryAt", "lastError", "waitingFor", "position"}
    | OF_RESULTS
    | OF_UPLOADS
)


def represent_job(
    job: Job,
    *,
    now: float,
    seconds_left: int | None,
    waiting: Waiting | None,
    depends_on: Callable[[], Iterable[str]],
    previews: Callable[[], Iterable[File]],
) -> Body:
    """Return the members that apply to the status of the job, in the order of the serializer.

    `now` is Unix time; `waiting` is None unless the job is queued. `depends_on` returns the ids of
    the jobs that this one waits for, `previews` the files made beside the artifact; they are only
    called if the body has them.
    """
    status, file = job.status, job.artifact
    body = _common(job, now, waiting)
    if status == Status.PROCESSING:
        body["speed"] = job.speed
        if KINDS[job.kind].has_threads:
            body["threads"] = job.threads
    body["statusUrl"] = represent_status_url(job)
    if status not in FINAL:
        body["estimatedSecondsRemaining"] = seconds_left
    if status == Status.COMPLETED and file:
        body |= _result(file)
    if file and file.file_id is not None:
        body["fileId"] = file.file_id
    if status == Status.COMPLETED:
        if roles := KINDS[job.kind].roles:
            body["processedFiles"] = {each.role: represent_file(each) for each in previews()}
        if roles or job.metadata:
            body["metadata"] = job.metadata
        if job.expires_at:
            body["expiresAt"] = represent_time(job.expires_at)
    elif status == Status.FAILED:
        body |= {"error": job.error, "errorCode": job.error_code}
    elif status == Status.QUEUED:
        body |= _waiting(job, waiting, depends_on)
    return body


def _common(job: Job, now: float, waiting: Waiting | None) -> Body:
    return {
        "jobId": str(job.pk),
        "kind": job.kind,
        "userId": str(job.owner_id),
        "status": job.status,
        "progress": job.progress,
        "message": represent_message(job, now, waiting),
        "done": job.done,
        "total": job.total,
        "unit": job.unit,
        "attempts": job.attempt,
        "createdAt": represent_time(job.created_at),
        "startedAt": represent_time(job.started_at),
        "updatedAt": represent_time(job.updated_at),
        "finishedAt": represent_time(job.finished_at),
        "fileName": job.name,
    }


def _result(file: File) -> Body:
    return {
        "downloadUrl": represent_download_url(file),
        "expiresIn": settings.DOWNLOAD_URL_SECONDS,
        "size": file.size_bytes,
        "sha256": file.sha256,
        "contentType": file.content_type,
    }


def _waiting(job: Job, waiting: Waiting | None, depends_on: Callable[[], Iterable[str]]) -> Body:
    body: Body = {}
    if waiting:
        place = waiting.place
        body["waitingFor"] = waiting.reason.value
        body["position"] = rounded_position(place) if place else None
    if job.is_scheduled and not job.error_code:
        body["runAt"] = represent_time(job.run_at)
    if job.held:
        body["after"] = list(depends_on())
    if job.error_code:
        body |= {"retryAt": represent_time(job.available_at), "lastError": job.error}
    return body


def represent_message(job: Job, now: float, waiting: Waiting | None) -> str:
    """Return what the job is doing, in a short sentence. `now` is Unix time."""
    if job.status == Status.QUEUED and job.held:
        return "Waiting for other downloads"
    if job.status == Status.QUEUED and job.run_at and job.run_at.timestamp() > now:
        return "Waiting for its start time"
    return queue_text(waiting) or job.message


def represent_event(job: Job, body: Body) -> bytes:
    """Return the job as a server-sent event."""
    return b"retry: %d\nid: %b\ndata: %b\n\n" % (
        RETRY_MILLISECONDS,
        represent_event_id(job).encode(),
        representation_json(body),
    )


def represent_event_id(job: Job) -> str:
    """Return the event id of this version, which a reconnecting client sends as the last it has."""
    return f"{job.pk}-{job.version}"


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def representation_json(body: Mapping[str, Any]) -> bytes:
    """Return the bytes that the JSONRenderer of DRF would return."""
    return _encode(body).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()


def represent_file(file: File) -> Body:
    """Return the members of a file that a job made beside its main one."""
    return {
        "fileId": file.file_id,
        "fileName": file.name,
        "contentType": file.content_type,
        "size": file.size_bytes,
        "downloadUrl": represent_download_url(file),
        "expiresIn": settings.DOWNLOAD_URL_SECONDS,
    }


def represent_download_url(file: File) -> str:
    name = file.name.rpartition("/")[2]  # without folders
    return storage.presigned_url(file.key, name=name, content_type=file.content_type)


def represent_status_url(job: Job) -> str:
    return f"{_status_prefix()}{job.pk}"


@cache
def _status_prefix() -> str:
    nobody = UUID(int=0)
    return reverse("status", args=[nobody]).removesuffix(str(nobody))


def represent_time(moment: datetime | None) -> str | None:
    """Format a time in RFC 3339, in UTC: 2026-11-23T06:00:00Z."""
    return moment.isoformat().replace("+00:00", "Z") if moment else None
