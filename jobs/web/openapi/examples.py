"""Examples of requests and responses in the OpenAPI document. A test checks them by its schemas."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.fields import empty

from jobs.kinds.base import Kind
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob, StoredFile
from jobs.states import WAITING, Status
from jobs.web.problems import CODES
from jobs.web.representation import represent_job, represent_time
from jobs.web.serializers import JobSerializer

Json = dict[str, Any]

JOB_ID = "0b7a6f0e-6c1f-4a57-9f0f-0d9f6f2f3c55"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
URL = f"https://files.example.org/downloads/results/{JOB_ID}/1/file?X-Amz-Signature=6d1f…"
CREATED = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
STARTED, NOW, FINISHED = (CREATED + timedelta(seconds=seconds) for seconds in (1.2, 2.8, 5))
_STARTED = {"attempt": 1, "progress": 0.4, "done": 23_646_800, "started_at": STARTED}
_ENDED = _STARTED | {"updated_at": FINISHED, "finished_at": FINISHED}
# The columns of a job in each state.
_STATES: dict[str, Json] = {
    "queued": {"message": WAITING},
    "waiting": {
        "message": "Waiting to retry",
        "attempt": 1,
        "available_at": FINISHED,
        "error_code": "storage_unavailable",
        "error": "The file store could not be reached.",
    },
    "processing": _STARTED | {"message": "Reading report.pdf", "speed": 14_780_000, "threads": 4},
    "completed": {
        **_ENDED,
        "message": "Ready",
        "progress": 1.0,
        "done": 59_117_000,
        "expires_at": FINISHED + timedelta(days=30),
    },
    "failed": {
        **_ENDED,
        "message": "Failed",
        "error_code": "source_missing",
        "error": "File 70009 could not be found.",
    },
    "cancelled": _ENDED | {"message": "Cancelled"},
}
# Of members in derived examples, by name or by type.
_VALUES: dict[Any, Any] = {
    "file_id": 70000,
    "size": 6_207_776,
    "sha256": SHA256,
    "s3Key": "catalogue/70000/report.pdf",
    "name": "celery@worker-1",
    "username": "demo",
    "password": "correct horse",
    "access": "eyJhbGciOi…",
    "refresh": "eyJhbGciOi…",
    "message": "Reading report.pdf",
    "expiresIn": 600,
    "total": 24,
    serializers.BooleanField: True,
    serializers.IntegerField: 4,
    serializers.FloatField: 0.4,
    serializers.DateTimeField: represent_time(NOW),
    serializers.DateField: f"{NOW:%Y-%m-%d}",
    serializers.TimeField: f"{NOW:%H:%M:%S}",
    serializers.DecimalField: "4.00",
    serializers.EmailField: "person@example.org",
    serializers.UUIDField: JOB_ID,
    serializers.URLField: URL,
}


class JobExample(OpenApiExample):
    """A job in a state. Its value is made with the document: kinds are loaded late."""

    def __init__(
        self, serializer: type[JobSerializer], state: str, name: str = "", **members: Any
    ) -> None:
        self._job = serializer, state, members
        super().__init__(name or state.capitalize())

    @property
    def value(self) -> Any:
        return _job(*self._job) if self._value is empty else self._value

    @value.setter
    def value(self, value: Any) -> None:
        self._value = value


def jobs(serializer: type[JobSerializer], *states: str, **members: Any) -> list[OpenApiExample]:
    """Return an example of a job in each state."""
    return [JobExample(serializer, state, **members) for state in states]


def _job(serializer: type[JobSerializer], state: str, members: Json) -> Json:
    kind = KINDS[serializer.example_kind] if serializer.example_kind else _first_kind()
    columns = {"status": state, "total": 59_117_000, "updated_at": NOW} | _STATES[state]
    if state == "waiting":
        columns["status"] = Status.QUEUED
    if state == "completed":
        columns["artifact"] = StoredFile(
            file_id=1_000_004 if kind.is_numbered else None,
            content_type=kind.content_type,
            size_bytes=59_117_758,
            sha256=SHA256,
        )
    name = kind.artifact_name("", kind.example)
    job = DownloadJob(
        id=UUID(JOB_ID), owner_id=42, kind=kind.name, params=kind.example, name=name,
        created_at=CREATED, **columns,
    )  # fmt: skip
    body = represent_job(job, now=NOW.timestamp(), seconds_left=4, depends_on=list, previews=list)
    if "downloadUrl" in body:
        body["downloadUrl"] = URL  # not one of this service's store
    return serializer.variant(job, body | members)


def _first_kind() -> Kind:
    return next(iter(KINDS.values()))


def derived(serializer: Any) -> Any:
    """Return an example of what the serializer describes."""
    if isinstance(serializer, serializers.ListSerializer):
        return [derived(serializer.child)]
    return {name: _value(name, field) for name, field in serializer.fields.items()}


def _value(name: str, field: Any) -> Any:
    if isinstance(field, serializers.BaseSerializer):
        return derived(field)
    if isinstance(field, serializers.DictField):  # statistics of each kind
        return {_first_kind().name: _value(name, field.child)}
    if isinstance(field, serializers.MultipleChoiceField):
        return list(field.choices)[:1]
    if isinstance(field, serializers.ChoiceField):
        return next(iter(field.choices))
    if isinstance(field, serializers.ListField):
        return [_value(name, field.child)]
    if (least := getattr(field, "min_value", None)) is not None:
        return max(_VALUES.get(name, 4), least)
    known = [name, *type(field).__mro__]
    return next((_VALUES[each] for each in known if each in _VALUES), "text")


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
