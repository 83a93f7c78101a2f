"""The operations of links in the OpenAPI document."""

from __future__ import annotations

from jobs.kinds.remote.kind import Remote
from jobs.kinds.remote.response import AcceptedLink, LinkJob
from jobs.web.openapi.decorators import cancelling, creating, json_body, listing, polling
from jobs.web.openapi.examples import SHA256, jobs
from jobs.web.serializers import request_of

BODY = json_body(
    request_of(Remote),
    a_link=Remote.example,
    with_a_name_and_eight_connections={
        **Remote.example, "output": "Measurements of 2026.csv", "threads": 8, "sha256": SHA256
    },
    at_night_with_a_webhook={
        **Remote.example,
        "runAt": "2026-11-23T02:00:00Z",
        "webhook": "https://hooks.example.org/downloads",
    },
)  # fmt: skip
UNKNOWN_SIZE = {"total": None, "estimatedSecondsRemaining": None}
SHOWN = [
    *jobs(LinkJob, "queued", **UNKNOWN_SIZE),
    *jobs(LinkJob, "processing", message="Fetching from data.example", threads=4),
    *jobs(LinkJob, "completed"),
]

fetch_link = creating("fetch_link", BODY, AcceptedLink, **UNKNOWN_SIZE)
links = listing("links", LinkJob)
link = polling("link", LinkJob, *SHOWN)
link_status = polling("link_status", LinkJob, *SHOWN)
cancel_link = cancelling("cancel_link", LinkJob)
