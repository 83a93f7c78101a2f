"""The parameters and headers that operations of the OpenAPI document share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.utils.functional import SimpleLazyObject
from drf_spectacular.utils import OpenApiParameter

from jobs.kinds.registry import KINDS
from jobs.models.newest import SEARCHED
from jobs.states import Status
from jobs.web.serializers.requests import JOB_ID, MAX_WATCHED

REQUEST_ID = "Identifies the request in the logs and on its job. Send your own, or get a new one."


def header(
    name: str, description: str, responses: Sequence[int] | bool = False, **more: Any
) -> OpenApiParameter:
    """Describe a header of requests, or of responses: with these statuses, or True for all."""
    if name == "Retry-After":
        more["type"] = {"type": "integer", "minimum": 0}
    more |= {"location": OpenApiParameter.HEADER, "response": responses}
    return OpenApiParameter(name, description=description, **more)


COMMON_HEADERS = [
    header("X-Request-ID", REQUEST_ID),
    header("X-Request-ID", REQUEST_ID, True, required=True),
    header("WWW-Authenticate", "How to authenticate.", [401], required=True),
    header("Retry-After", "Seconds to wait before the next request.", [429, 503], required=True),
    header("Retry-After", "Seconds until the next attempt or poll.", [409]),
    header("Retry-After", "Seconds until the first poll.", [202], required=True),
    header("Location", "The URL to poll.", [202], required=True),
    header("Location", "The file, for ten minutes.", [302], required=True),
]
LIMIT_HEADERS = [
    header("RateLimit", 'The remaining requests: `"name";r=requests;t=seconds`.', True),
    header("RateLimit-Policy", 'The limit: `"name";q=requests;w=seconds`.', True),
]
NEW_JOB_HEADERS = [
    header(
        "Idempotency-Key",
        "Any unique text, such as a UUID. The same request with the same key within 24 h returns"
        " the first job; a different request with the key is 422.",
        pattern="^[!-~]{1,255}$",
    ),
    header("Idempotency-Replayed", "`true` for an earlier job.", [200, 202]),
]
POLL_HEADERS = [
    header("If-None-Match", "The `ETag` of the last response."),
    header(
        "Prefer",
        "`wait=20` waits up to 20 s (at most 30) for a change, if the `If-None-Match` is still"
        " current. `Preference-Applied` confirms it.",
    ),
    header("ETag", "The version of the job, for `If-None-Match`.", [200, 304], required=True),
    header("Retry-After", "Seconds until the next poll.", [200, 304]),
]
NOT_READY_HEADERS = [header("Location", "The URL to poll, if the job is active.", [409])]
LAST_EVENT = header("Last-Event-ID", "The `id` of the last event that you have. Browsers send it.")
WATCHED_JOBS = OpenApiParameter(
    "jobs",
    required=True,
    pattern=f"^{JOB_ID.pattern}(,{JOB_ID.pattern})*$",
    description=f"The ids of up to {MAX_WATCHED} jobs, separated by commas.",
)
SEARCH = OpenApiParameter(
    "search",
    type={"type": "string", "maxLength": 100},
    pattern=r"^[^\u0000]*$",
    description="At least the first eight digits of a job id, or a part of a file name among your"
    f" newest {SEARCHED:,} jobs.",
)
# A form sends an empty value for a choice that was not made.
STATUS = OpenApiParameter("status", enum=["", *Status.values], description="Empty: any status.")
KIND = OpenApiParameter(
    "kind",
    enum=cast(list[str], SimpleLazyObject(lambda: ["", *KINDS])),
    description=f"Jobs of this kind among your newest {SEARCHED:,}. Empty: any kind.",
)
USER_ID = OpenApiParameter(
    "userId",
    pattern="^[0-9]*$",
    description="For staff: the owner of the jobs. Without links to the files of other owners.",
)
