"""Examples of requests and responses in the OpenAPI document. A test checks them by its schemas."""

from __future__ import annotations

import json
from typing import Any

from drf_spectacular.utils import OpenApiExample

from jobs.web.problems import CODES

Json = dict[str, Any]

JOB_ID = "0b7a6f0e-6c1f-4a57-9f0f-0d9f6f2f3c55"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
URL = f"https://files.example.org/downloads/results/{JOB_ID}/1/3%20files.zip?X-Amz-Signature=6d1f…"
CREATED, STARTED, NOW, FINISHED = (
    f"2026-11-22T09:30:{seconds}00000Z" for seconds in ("00.1", "01.3", "02.9", "05.1")
)
FILE = {"downloadUrl": URL, "expiresIn": 600, "size": 59_117_758, "sha256": SHA256}
PREVIEW = {
    "fileId": 1_000_008,
    "fileName": "harbour thumbnail.jpg",
    "contentType": "image/jpeg",
    "size": 8_132,
    "downloadUrl": URL.replace("results", "processed").replace("3%20files.zip", "thumbnail.jpg"),
    "expiresIn": 600,
}
_JOB: Json = {
    "jobId": JOB_ID,
    "kind": "bundle",
    "userId": "42",
    "status": "queued",
    "progress": 0.0,
    "message": "Waiting for a worker",
    "done": 0,
    "total": 59_117_000,
    "unit": "bytes",
    "attempts": 0,
    "createdAt": CREATED,
    "startedAt": None,
    "updatedAt": CREATED,
    "finishedAt": None,
    "fileName": "3 files.zip",
    "statusUrl": f"/v1/download/status/{JOB_ID}",
}
_ATTEMPTED = {"attempts": 1, "progress": 0.4, "done": 23_646_800, "startedAt": STARTED}
_ENDED = _ATTEMPTED | {"updatedAt": FINISHED, "finishedAt": FINISHED}
_STATES: dict[str, Json] = {
    "queued": {"estimatedSecondsRemaining": 4},
    "waiting": {
        "message": "Waiting to retry",
        "attempts": 1,
        "estimatedSecondsRemaining": 4,
        "retryAt": "2026-11-22T09:30:10.100000Z",
        "lastError": "The file store could not be reached.",
    },
    "processing": {
        **_ATTEMPTED,
        "status": "processing",
        "message": "Adding 2 of 3: report.pdf",
        "updatedAt": NOW,
        "speed": 14_780_000,
        "estimatedSecondsRemaining": 3,
    },
    "completed": {
        **_ENDED,
        **FILE,
        "status": "completed",
        "progress": 1.0,
        "message": "Ready",
        "done": 59_117_000,
        "contentType": "application/zip",
        "expiresAt": "2026-12-22T09:30:05.100000Z",
    },
    "failed": {
        **_ENDED,
        "status": "failed",
        "message": "Failed",
        "error": "File 70009 could not be found.",
        "errorCode": "source_missing",
    },
    "cancelled": {**_ENDED, "status": "cancelled", "message": "Cancelled"},
}
_NAMES = {
    "bundle": "3 files.zip",
    "remote": "measurements.csv",
    "upload": "harbour.jpg",
    "report": "Activity 2026-10-24 to 2026-11-22.pdf",
}
# What else a completed job of the kind has; `upload` with the names at its older path.
_COMPLETED: dict[str, Json] = {
    "bundle": {},
    "remote": {"fileId": 1_000_004},
    "upload": {
        "fileId": 1_000_007,
        "contentType": "image/jpeg",
        "processedFiles": {"thumbnail": PREVIEW},
        "metadata": {"width": 6000, "height": 4000},
        "completedAt": FINISHED,
        "downloadUrls": {"thumbnail": PREVIEW["downloadUrl"]},
    },
    "report": {"fileId": 1_000_009, "contentType": "application/pdf"},
}


def jobs(kind: str, *states: str, **members: Any) -> list[OpenApiExample]:
    """Return an example of a job in each state, with the names that older clients know."""
    return [OpenApiExample(f"{kind}, {state}", _job(kind, state, members)) for state in states]


def _job(kind: str, state: str, members: Json) -> Json:
    job = _JOB | _STATES[state] | {"kind": kind, "fileName": _NAMES[kind]}
    if state == "completed":
        job |= _COMPLETED[kind]
    job |= members
    if kind == "remote":
        job |= {"job_id": JOB_ID, "bytes_downloaded": job["done"], "total_bytes": job["total"]}
    if kind == "report":
        job |= {"id": JOB_ID, "progress_message": job["message"]}
    return job


WITHOUT_PREVIEWS = jobs(
    "upload",
    "completed",
    fileName="offer.pdf",
    contentType="application/pdf",
    processedFiles={},
    downloadUrls={},
    metadata={
        "skipped": "The PDF is protected by a password.",
        "skippedCode": "file_encrypted",
    },
)
RESULT = OpenApiExample(
    "A file", FILE | {"jobId": JOB_ID, "status": "completed", "fileName": "3 files.zip"}
)
EVENT = OpenApiExample(
    "An event",
    {"id": f"{JOB_ID}-3", "retry": 3000, "data": json.dumps(_job("bundle", "processing", {}))},
)

CHUNKED = OpenApiExample("A file in chunks", {"fileName": "drone.mp4", "totalSize": 20_000_000})
CHUNK = OpenApiExample(
    "The second chunk",
    {"jobId": JOB_ID, "chunkIndex": 1, "totalChunks": 3, "chunk": "(8,388,608 bytes)"},
)
UPLOAD = OpenApiExample("A picture", {"file": "(the bytes of harbour.jpg)"})
_BEGUN: Json = {
    "jobId": JOB_ID,
    "fileName": "drone.mp4",
    "totalSize": 20_000_000,
    "chunkSize": 8_388_608,
    "totalChunks": 3,
    "receivedChunks": [],
    "receivedSize": 0,
    "complete": False,
    "expiresAt": "2026-11-23T09:30:00.120000Z",
}
_ONE_CHUNK = _BEGUN | {"receivedChunks": [1], "receivedSize": 8_388_608}
BEGUN = OpenApiExample("Begun", {"received": False} | _BEGUN)
RECEIVING = OpenApiExample("One chunk received", _ONE_CHUNK)
RECEIVED = OpenApiExample("A chunk", {"received": True} | _ONE_CHUNK)

BUNDLE = OpenApiExample("Three files", {"file_ids": [70000, 70001, 70002]})
NAMED_BUNDLE = OpenApiExample(
    "With a name and a priority", {"file_ids": [70000], "name": "Contracts.zip", "priority": 9}
)
BUNDLE_OF_JOBS = OpenApiExample(
    "The results of other jobs", {"job_ids": [JOB_ID], "name": "Measurements.zip", "email": True}
)
_LINK = {"url": "https://data.example/2026/measurements.csv"}
LINK = OpenApiExample("A link", _LINK)
LINK_WITH_HASH = OpenApiExample(
    "With a name, eight connections and a SHA-256",
    _LINK | {"output": "Measurements of 2026.csv", "threads": 8, "sha256": SHA256},
)
SCHEDULED_LINK = OpenApiExample(
    "At night, with a webhook",
    _LINK | {"runAt": "2026-11-23T02:00:00Z", "webhook": "https://hooks.example.org/downloads"},
)
REPORT = OpenApiExample("The last 30 days", {"period": "30d"})
REPORT_OF_DAYS = OpenApiExample(
    "A month as a table, by e-mail",
    {"from": "2026-10-01", "to": "2026-10-31", "format": "csv", "email": True},
)
CHECK = OpenApiExample("A file", {"file_id": 70000})
_FOUND = {"s3Key": "catalogue/70000/report.pdf", "size": 6_207_776, "sha256": SHA256}
AVAILABLE = OpenApiExample("Available", {"file_id": 70000, "available": True} | _FOUND)
NOT_AVAILABLE = OpenApiExample(
    "Not available", {"file_id": 70000, "available": False} | dict.fromkeys(_FOUND)
)
CREDENTIALS = OpenApiExample("A user", {"username": "demo", "password": "correct horse"})
TOKENS = OpenApiExample("Both tokens", {"refresh": "eyJhbGciOi…", "access": "eyJhbGciOi…"})
REFRESH = OpenApiExample("A refresh token", {"refresh": "eyJhbGciOi…"})

_STATUSES = ("queued", "processing", "completed", "failed", "cancelled", "expired")
_BY_STATUS = dict(zip(_STATUSES, (12, 4, 1_830, 7, 3, 210), strict=True))
QUEUE = OpenApiExample(
    "A busy hour",
    {
        "queue_stats": _BY_STATUS | {"total": sum(_BY_STATUS.values())},
        "kinds": {"bundle": _BY_STATUS, "upload": dict.fromkeys(_BY_STATUS, 0)},
        "waitingForRetry": 1,
        "waitingForTheirTime": 2,
        "waitingForOthers": 1,
        "stalled": 0,
        "oldestQueuedSeconds": 3.2,
        "rates": {
            "lastMinute": {"submitted": 9, "completed": 8, "failed": 0, "cancelled": 0},
            "lastHour": {"submitted": 411, "completed": 398, "failed": 2, "cancelled": 1},
        },
        "timestamp": FINISHED,
    },
)
_RUNNING_JOB = {
    "jobId": JOB_ID,
    "kind": "bundle",
    "attempt": 1,
    "progress": 0.4,
    "message": "Adding 2 of 3: report.pdf",
    "startedAt": STARTED,
    "leaseUntil": "2026-11-22T09:31:02.900000Z",
}
WORKERS = OpenApiExample(
    "One working, one without a response",
    {
        "brokerAnswers": True,
        "workers": [
            {"name": "celery@worker-1", "answers": True, "processes": 2, "jobs": [_RUNNING_JOB]},
            {"name": "celery@worker-2", "answers": False, "processes": None, "jobs": []},
        ],
        "timestamp": FINISHED,
    },
)


def problem_example(code: str, field: str = "") -> Json:
    """Return an example of the problem; `field` is a field of the request."""
    status, sentence = CODES[code]
    problem = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": sentence,
        "code": code,
        "requestId": "5f0c9a3e-8d8b-4c0f-9d5d-0c6d1f7e21aa",
        "error": status.phrase,
    }
    if code == "invalid" and field:
        error = {"field": field, "code": "required", "detail": "This field is required."}
        problem["errors"] = [error]
    return problem
