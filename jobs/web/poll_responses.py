"""Responses about a job: 202 for a new one, 200 or 304 to a poll, and when to poll again."""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from math import ceil
from typing import Any

from django.urls import reverse
from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.engine import estimates
from jobs.models import DownloadJob, JobRow
from jobs.states import MOVES, Event, Status
from jobs.web.queue_text import queue_text, rounded_position

FIRST_POLL_SECONDS = 3  # from the start
FIRST_POLLS_SECONDS = 10  # while a job is younger, a small bundle may be ready any second
MAX_SCHEDULED_SECONDS = 3600  # between polls of a scheduled job
ETAG_SECONDS = (
    300  # half the lifetime of a presigned URL, so that a 304 never refers to an expired one
)


def poll_url(job: DownloadJob) -> str:
    return reverse("status", args=[job.pk])


def accepted_response(job: DownloadJob, body: Any, *, is_new: bool = True) -> Response:
    """Return 202 with the URL to poll, and the seconds until the first poll."""
    seconds = max(FIRST_POLL_SECONDS, seconds_until_scheduled(job))
    headers = {"Location": poll_url(job), "Retry-After": str(seconds)}
    if not is_new:
        headers["Idempotency-Replayed"] = "true"
    return Response(body, status=HTTPStatus.ACCEPTED, headers=headers)


def poll_after_seconds(job: DownloadJob | JobRow) -> int:
    """Return the seconds until the next poll of an active job: 1 at first, 5 in the end.

    The next poll of a scheduled job is at its start, or in an hour.
    """
    age = time.time() - job.created_at.timestamp()
    usual = 1 if age < FIRST_POLLS_SECONDS else 3 if age < 60 else 5
    return max(usual, seconds_until_scheduled(job))


def seconds_until_scheduled(job: DownloadJob | JobRow) -> int:
    """Return the seconds until a scheduled job starts, at most an hour; 0 for any other job."""
    if job.status != Status.QUEUED or job.run_at is None:
        return 0
    return min(max(ceil(job.run_at.timestamp() - time.time()), 0), MAX_SCHEDULED_SECONDS)


def poll_etag(job: DownloadJob | JobRow) -> str:
    """Return an ETag that changes with the job, with its position, and every ETAG_SECONDS."""
    job_id, now = str(job.pk).replace("-", ""), time.time()
    return f'"{job_id}-{job.version}-{int(now // ETAG_SECONDS)}{_waiting_tag(job, now)}"'


def _waiting_tag(job: DownloadJob | JobRow, now: float) -> str:
    """Return what changes the message of a queued job, without a change of its row."""
    waiting = estimates.cached_waiting(job, now)
    if waiting is None or not queue_text(waiting):
        return ""
    position = rounded_position(waiting.place) if waiting.place else ""
    return f"-{waiting.reason}{position}"


def poll_headers(job: DownloadJob | JobRow) -> dict[str, str]:
    headers = {"ETag": poll_etag(job)}
    if not job.is_finished:
        headers["Retry-After"] = str(poll_after_seconds(job))
    return headers


def poll_etag_matches(if_none_match: str, tag: str) -> bool:
    """Return True if the If-None-Match header has this ETag."""
    if not if_none_match:
        return False
    tags = parse_etags(if_none_match)
    return "*" in tags or tag in [each.removeprefix("W/") for each in tags]


def seen_version(if_none_match: str, job_id: str) -> int:
    """Return the version of the job in the If-None-Match header; 0 if there is none."""
    tag = f'"{job_id.replace("-", "")}-'
    version = if_none_match.partition(tag)[2].partition("-")[0]
    return int(version) if version.isdecimal() and len(version) < 10 else 0


def is_current_on_replica(job: DownloadJob | JobRow, seen: int) -> bool:
    """Return False if the job has to be read from the primary.

    The client has seen a newer version; or the job may have been retried since: then the client
    would take the previous outcome for the final one.
    """
    return job.version >= seen and job.status not in MOVES[Event.REQUEUE].sources


def poll_response(job: DownloadJob, request: Request, body: Callable[[], Any]) -> Response:
    """Return 304 if the client has this version of the job, else 200 with `body()`."""
    headers = poll_headers(job)
    if poll_etag_matches(request.headers.get("If-None-Match", ""), headers["ETag"]):
        return Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body(), headers=headers)
