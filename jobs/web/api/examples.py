"""What requests and answers look like, shown in the OpenAPI document. A test holds them to it."""

from __future__ import annotations

import json
from typing import Any

from drf_spectacular.utils import OpenApiExample

from jobs.web.problems import CODES

Json = dict[str, Any]

JOB_ID = "0b7a6f0e-6c1f-4a57-9f0f-0d9f6f2f3c55"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
URL = f"https://files.example.org/downloads/results/{JOB_ID}/1/3%20files.zip?X-Amz-Signature=6d1f…"
FILE = {"downloadUrl": URL, "expiresIn": 600, "size": 59_117_758, "sha256": SHA256}

_QUEUED: Json = {
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
    "createdAt": "2026-11-22T09:30:00.120000Z",
    "startedAt": None,
    "updatedAt": "2026-11-22T09:30:00.120000Z",
    "finishedAt": None,
    "fileName": "3 files.zip",
    "statusUrl": f"/v1/download/status/{JOB_ID}",
    "estimatedSecondsRemaining": 4,
}
_RUNNING: Json = _QUEUED | {
    "status": "processing",
    "progress": 0.4,
    "message": "Adding 2 of 3: report.pdf",
    "done": 23_646_800,
    "attempts": 1,
    "startedAt": "2026-11-22T09:30:01.300000Z",
    "updatedAt": "2026-11-22T09:30:02.900000Z",
    "speed": 14_780_000,
    "estimatedSecondsRemaining": 3,
}
_ENDED: Json = {
    name: value
    for name, value in _RUNNING.items()
    if name not in ("speed", "estimatedSecondsRemaining")
} | {
    "finishedAt": "2026-11-22T09:30:05.100000Z",
    "updatedAt": "2026-11-22T09:30:05.100000Z",
}
_COMPLETED: Json = _ENDED | FILE | {
    "status": "completed",
    "progress": 1.0,
    "message": "Ready",
    "done": 59_117_000,
    "contentType": "application/zip",
    "expiresAt": "2026-12-22T09:30:05.100000Z",
}  # fmt: skip
_FAILED: Json = _ENDED | {
    "status": "failed",
    "message": "Failed",
    "error": "File 70009 could not be found.",
    "errorCode": "source_missing",
}
_WAITING: Json = _QUEUED | {
    "message": "Waiting to retry",
    "attempts": 1,
    "retryAt": "2026-11-22T09:30:10.100000Z",
    "lastError": "The file store could not be reached.",
}


def _of_link(job: Json) -> Json:
    named = {"job_id": JOB_ID, "bytes_downloaded": job["done"], "total_bytes": job["total"]}
    return job | {"kind": "remote", "fileName": "measurements.csv"} | named


_QUEUED_LINK = _of_link(_QUEUED | {"total": None, "estimatedSecondsRemaining": None})
_RUNNING_LINK = _of_link(
    _RUNNING | {"message": "Fetching from data.example", "speed": 12_500_000, "threads": 4}
)
_LINK_URL = URL.replace("3%20files.zip", "measurements.csv")
_COMPLETED_LINK = _of_link(_COMPLETED | {"downloadUrl": _LINK_URL, "fileId": 1_000_004})
_CANCELLED: Json = _ENDED | {"status": "cancelled", "message": "Cancelled"}


def _of_report(job: Json) -> Json:
    named = {"id": JOB_ID, "progress_message": job["message"]}
    file = {"kind": "report", "fileName": "Activity 2026-10-24 to 2026-11-22.pdf"}
    return job | file | {"unit": "jobs"} | named


_COMPLETED_REPORT = _of_report(
    _COMPLETED
    | {
        "done": 318,
        "total": 318,
        "downloadUrl": URL.replace("3%20files.zip", "Report.pdf"),
        "contentType": "application/pdf",
        "size": 84_300,
        "fileId": 1_000_009,
    }
)
_RUNNING_REPORT = _of_report(
    _RUNNING | {"message": "Drawing page 4 of 12", "done": 127, "total": 318, "speed": 210}
)

_MADE = {
    "fileId": 1_000_008,
    "fileName": "harbour thumbnail.jpg",
    "contentType": "image/jpeg",
    "size": 8_132,
    "downloadUrl": URL.replace("results", "processed").replace("3%20files.zip", "thumbnail.jpg"),
    "expiresIn": 600,
}
_QUEUED_UPLOAD = _QUEUED | {"kind": "upload", "fileName": "harbour.jpg", "total": 6_207_776}
_COMPLETED_UPLOAD = _COMPLETED | {
    "kind": "upload",
    "fileName": "harbour.jpg",
    "downloadUrl": URL.replace("results", "raw").replace("1/3%20files.zip", "harbour.jpg"),
    "fileId": 1_000_007,
    "contentType": "image/jpeg",
    "processedFiles": {"thumbnail": _MADE},
    "metadata": {"width": 6000, "height": 4000},
    "completedAt": _COMPLETED["finishedAt"],
    "downloadUrls": {"thumbnail": _MADE["downloadUrl"]},
}
_UPLOAD_WITHOUT_PREVIEWS = _COMPLETED_UPLOAD | {
    "fileName": "offer.pdf",
    "downloadUrl": URL.replace("results", "raw").replace("1/3%20files.zip", "offer.pdf"),
    "contentType": "application/pdf",
    "processedFiles": {},
    "metadata": {
        "skipped": "The PDF is protected by a password.",
        "skippedCode": "file_encrypted",
    },
    "downloadUrls": {},
}
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

ACCEPTED_UPLOAD = OpenApiExample(
    "An upload, accepted",
    _QUEUED_UPLOAD | {"message": "File uploaded successfully, processing started"},
)
COMPLETED_UPLOAD = OpenApiExample("An upload, completed", _COMPLETED_UPLOAD)
WITHOUT_PREVIEWS = OpenApiExample("An upload, completed without previews", _UPLOAD_WITHOUT_PREVIEWS)
CHUNKED = OpenApiExample("A file in chunks", {"fileName": "drone.mp4", "totalSize": 20_000_000})
CHUNK = OpenApiExample(
    "The second chunk",
    {"jobId": JOB_ID, "chunkIndex": 1, "totalChunks": 3, "chunk": "(8,388,608 bytes)"},
)
UPLOAD = OpenApiExample("A picture", {"file": "(the bytes of harbour.jpg)"})
BEGUN = OpenApiExample("Begun", {"received": False} | _BEGUN)
ARRIVING = OpenApiExample(
    "A chunk is here", _BEGUN | {"receivedChunks": [1], "receivedSize": 8_388_608}
)
RECEIVED = OpenApiExample(
    "A chunk", _BEGUN | {"received": True, "receivedChunks": [1], "receivedSize": 8_388_608}
)

QUEUED = OpenApiExample("Queued", _QUEUED)
ACCEPTED = OpenApiExample("Accepted", _QUEUED | {"totalFileIds": 3})
RUNNING = OpenApiExample("Running", _RUNNING)
EVENT = OpenApiExample(
    "An event", {"id": f"{_RUNNING['jobId']}-3", "retry": 3000, "data": json.dumps(_RUNNING)}
)
COMPLETED = OpenApiExample("Completed", _COMPLETED)
QUEUED_LINK = OpenApiExample("A link, queued", _QUEUED_LINK)
RUNNING_LINK = OpenApiExample("A link, running", _RUNNING_LINK)
COMPLETED_LINK = OpenApiExample("A link, completed", _COMPLETED_LINK)
FAILED = OpenApiExample("Failed", _FAILED)
WAITING = OpenApiExample("Waiting for its next try", _WAITING)
CANCELLED = OpenApiExample("Cancelled", _CANCELLED)
ACCEPTED_LINK = OpenApiExample(
    "A link, accepted", _QUEUED_LINK | {"message": "Download job enqueued successfully"}
)
CANCELLED_LINK = OpenApiExample("A link, cancelled", _of_link(_CANCELLED))
RUNNING_REPORT = OpenApiExample("A report, running", _RUNNING_REPORT)
COMPLETED_REPORT = OpenApiExample("A report, completed", _COMPLETED_REPORT)
CANCELLED_REPORT = OpenApiExample("A report, cancelled", _of_report(_CANCELLED))
ACCEPTED_REPORT = OpenApiExample(
    "A report, accepted",
    _of_report(_QUEUED | {"total": None, "estimatedSecondsRemaining": None})
    | {"unit": "bytes", "fileName": "Report.pdf", "message": "Report generation started"},
)
RESULT = OpenApiExample(
    "A file",
    FILE | {"jobId": JOB_ID, "status": "completed", "fileName": "3 files.zip"},
)

BUNDLE = OpenApiExample("Three files", {"file_ids": [70000, 70001, 70002]})
NAMED_BUNDLE = OpenApiExample(
    "Named and urgent", {"file_ids": [70000], "name": "Contracts.zip", "priority": 9}
)
LINK = OpenApiExample("A link", {"url": "https://data.example/2026/measurements.csv"})
EXPECTED_LINK = OpenApiExample(
    "Named, over eight connections, and known by its SHA-256",
    {
        "url": "https://data.example/2026/measurements.csv",
        "output": "Measurements of 2026.csv",
        "threads": 8,
        "sha256": SHA256,
    },
)
LINKS_IN_ONE = OpenApiExample(
    "What other jobs are going to make",
    {"job_ids": [JOB_ID], "name": "Measurements.zip", "email": True},
)
LATER_LINK = OpenApiExample(
    "At night, and a program of yours is told",
    {
        "url": "https://data.example/2026/measurements.csv",
        "runAt": "2026-11-23T02:00:00Z",
        "webhook": "https://hooks.example.org/downloads",
    },
)
REPORT = OpenApiExample("The last 30 days", {"period": "30d"})
REPORT_OF_DAYS = OpenApiExample(
    "A month as a table, mailed",
    {"from": "2026-10-01", "to": "2026-10-31", "format": "csv", "email": True},
)
CHECK = OpenApiExample("A file", {"file_id": 70000})
THERE = OpenApiExample(
    "It is there",
    {
        "file_id": 70000,
        "available": True,
        "s3Key": "catalogue/70000/report.pdf",
        "size": 6_207_776,
        "sha256": SHA256,
    },
)
NOT_THERE = OpenApiExample(
    "It is not",
    {"file_id": 70000, "available": False, "s3Key": None, "size": None, "sha256": None},
)
CREDENTIALS = OpenApiExample("Somebody", {"username": "demo", "password": "correct horse"})
TOKENS = OpenApiExample("Both tokens", {"refresh": "eyJhbGciOi…", "access": "eyJhbGciOi…"})
_BY_STATUS = {
    "queued": 12,
    "processing": 4,
    "completed": 1_830,
    "failed": 7,
    "cancelled": 3,
    "expired": 210,
}
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
        "timestamp": "2026-11-22T09:30:05.100000Z",
    },
)
WORKERS = OpenApiExample(
    "One that works, one that fell silent",
    {
        "brokerAnswers": True,
        "workers": [
            {
                "name": "celery@worker-1",
                "answers": True,
                "processes": 2,
                "jobs": [
                    {
                        "jobId": JOB_ID,
                        "kind": "bundle",
                        "attempt": 1,
                        "progress": 0.4,
                        "message": "Adding 2 of 3: report.pdf",
                        "startedAt": "2026-11-22T09:30:01.300000Z",
                        "leaseUntil": "2026-11-22T09:31:02.900000Z",
                    }
                ],
            },
            {"name": "celery@worker-2", "answers": False, "processes": None, "jobs": []},
        ],
        "timestamp": "2026-11-22T09:30:05.100000Z",
    },
)
REFRESH = OpenApiExample("A refresh token", {"refresh": "eyJhbGciOi…"})


def problem_example(code: str, field: str = "") -> Json:
    """The problem as it may look; `field` is a field of the request that may be wrong."""
    status, sentence = CODES[code]
    shown = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": sentence,
        "code": code,
        "requestId": "5f0c9a3e-8d8b-4c0f-9d5d-0c6d1f7e21aa",
        "error": status.phrase,
    }
    if code == "invalid" and field:
        wrong = {"field": field, "code": "required", "detail": "This field is required."}
        shown["errors"] = [wrong]
    return shown
