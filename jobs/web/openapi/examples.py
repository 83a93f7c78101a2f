"""Examples in the OpenAPI document: of each request, and of a job in each state."""

from __future__ import annotations

import mimetypes
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from rest_framework import serializers

from jobs.engine.estimates import Waiting, WaitingFor
from jobs.engine.queue_order import Place
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob, StoredFile
from jobs.states import FINAL, WAITING
from jobs.terms import REQUEST_FIELDS
from jobs.web.representation import represent_job
from jobs.web.serializers import JobSerializer, Url

Json = dict[str, Any]

JOB_ID = "0b7a6f0e-6c1f-4a57-9f0f-0d9f6f2f3c55"
URL = f"https://files.example.org/downloads/results/{JOB_ID}/1/file?X-Amz-Signature=6d1f…"
SIZE = 59_117_000
CREATED, STARTED, UPDATED = (datetime(2026, 11, 22, 9, 30, s, tzinfo=UTC) for s in (0, 1, 5))
# The columns of a job in each state, beside those that most have.
STATES: dict[str, Json] = {
    "queued": {"message": WAITING, "attempt": 0, "total": None, "started_at": None},
    "processing": {
        "message": "Reading", "progress": 0.4, "done": 23_646_800, "speed": 14_780_000, "threads": 4
    },
    "waiting": {
        "status": "queued", "message": "Waiting to retry", "available_at": UPDATED,
        "error_code": "storage_unavailable", "error": "The file store could not be reached.",
    },
    "completed": {
        "message": "Ready", "progress": 1.0, "done": SIZE, "expires_at": UPDATED + timedelta(30)
    },
    "failed": {
        "message": "Failed", "error_code": "source_missing", "error": "File 70009 is missing."
    },
    "cancelled": {"message": "Cancelled"},
}  # fmt: skip
WAITS = {
    "queued": Waiting(WaitingFor.WORKER, Place(2, 8.0)), "waiting": Waiting(WaitingFor.RETRY)
}  # fmt: skip
# The values of request fields by type, most specific first; other fields have their name as value.
_VALUES: dict[Any, Any] = {
    serializers.BooleanField: True, serializers.IntegerField: 4, serializers.FloatField: 0.4,
    serializers.DecimalField: "4.00", serializers.DateTimeField: "2026-11-22T09:30:00Z",
    serializers.DateField: "2026-11-22", serializers.TimeField: "09:30:00",
    serializers.EmailField: "person@example.org", serializers.UUIDField: JOB_ID,
    serializers.URLField: "https://www.example.org/", Url: "https://www.example.org/",
    serializers.DictField: {},
}  # fmt: skip


def job_example(serializer: JobSerializer, state: str) -> Json:
    """Return the response about a job in one of STATES."""
    kind = KINDS[serializer.example_kind or next(iter(KINDS))]
    name = kind.artifact_name("", kind.example)
    file = StoredFile(
        name=name, size_bytes=SIZE, sha256="9f" * 32, role=next(iter(kind.roles), ""),
        content_type=mimetypes.guess_type(name)[0] or kind.content_type,
        file_id=1_000_004 if kind.is_numbered else None,
    )  # fmt: skip
    columns = {"status": state, "attempt": 1, "total": SIZE, "started_at": STARTED} | STATES[state]
    job = DownloadJob(
        id=UUID(JOB_ID), owner_id=42, kind=kind.name, params=kind.example, name=name,
        artifact=file if state == "completed" else None, created_at=CREATED, updated_at=UPDATED,
        finished_at=UPDATED if state in FINAL else None, **columns,
    )  # fmt: skip
    body = represent_job(
        job, now=0, seconds_left=4, waiting=WAITS.get(state), depends_on=list,
        previews=lambda: [file],
    )  # fmt: skip
    for each in [body, *body.get("processedFiles", {}).values()]:
        if "downloadUrl" in each:
            each["downloadUrl"] = URL  # not one of this service's store
    return serializer.variant(job, body)


def request_example(serializer: Any) -> Json:
    """Return an example of what the serializer reads, without the terms of all jobs."""
    fields = {name: each for name, each in serializer.fields.items() if name not in REQUEST_FIELDS}
    return {name: _value(name, field) for name, field in fields.items()}


def _value(name: str, field: Any) -> Any:
    if isinstance(field, serializers.Serializer):
        return request_example(field)
    if isinstance(field, serializers.ListField | serializers.ListSerializer):
        return [_value(name, field.child)]
    if isinstance(field, serializers.ChoiceField):
        first = next(iter(field.choices))
        return [first] if isinstance(field, serializers.MultipleChoiceField) else first
    if (least := getattr(field, "min_value", None)) is not None:
        return field.to_representation(least)
    return next((_VALUES[each] for each in type(field).__mro__ if each in _VALUES), name)
