"""Schedules in requests and responses of the API, which the pages use, too."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request

from jobs.engine.schedules import validated_request
from jobs.kinds.registry import KINDS
from jobs.lib.cron import MAX_CRON_CHARS, CronError, is_time_zone, validated_cron
from jobs.models import Schedule, ScheduleRun
from jobs.web.authentication import authenticated_user
from jobs.web.serializers import StrictSerializer, TextField
from jobs.web.serializers.fields import MAX_NAME_CHARS

NOT_REPEATED = {"runAt": "The schedule says when it runs.", "after": "Schedules wait for no job."}


class KindField(TextField):
    """A kind whose requests are JSON."""

    default_error_messages = {"unknown_kind": "Use one of: {kinds}."}

    @property
    def openapi(self) -> dict[str, Any]:
        return {"enum": scheduled_kinds()}

    def to_internal_value(self, data: Any) -> str:
        if (name := super().to_internal_value(data)) not in (kinds := scheduled_kinds()):
            self.fail("unknown_kind", kinds=", ".join(kinds))
        return name


def scheduled_kinds() -> list[str]:
    return [name for name, kind in KINDS.items() if kind.accepts_json]


class CronField(TextField):
    """A cron line of five fields, or a shorthand."""

    default_error_messages = {"bad_cron": "{reason}"}

    def to_internal_value(self, data: Any) -> str:
        try:
            return validated_cron(super().to_internal_value(data))
        except CronError as error:
            self.fail("bad_cron", reason=str(error))


class TimeZoneField(TextField):
    default_error_messages = {"bad_zone": "Use a name such as Europe/Berlin."}

    def to_internal_value(self, data: Any) -> str:
        if not is_time_zone(name := super().to_internal_value(data)):
            self.fail("bad_zone")
        return name


class RequestBody(serializers.DictField):
    """The body of `POST /v1/jobs/{kind}`, without `runAt` and `after`."""


class ScheduleChanges(StrictSerializer):
    """Changes of a schedule. What is left out stays."""

    name = TextField(required=False, max_length=MAX_NAME_CHARS)
    request = RequestBody(required=False)
    cron = CronField(required=False, max_length=MAX_CRON_CHARS)
    timeZone = TimeZoneField(required=False, max_length=64)
    paused = serializers.BooleanField(required=False)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        kind = data.get("kind") or self.instance.kind  # type: ignore[union-attr] # of PATCH
        if "request" in data:
            check_scheduled_request(kind, data["request"], self.context["owner"])
        return data

    def columns(self) -> dict[str, Any]:
        """Return the values as columns of the schedule."""
        names = {"timeZone": "time_zone", "paused": "is_paused"}
        return {names.get(name, name): value for name, value in self.validated_data.items()}


class ScheduleRequest(ScheduleChanges):
    """A request that is repeated."""

    kind = KindField()
    request = RequestBody()
    cron = CronField(max_length=MAX_CRON_CHARS)
    timeZone = TimeZoneField(default="UTC", max_length=64)

    def schedule(self) -> Schedule:
        """Return the schedule, which is not saved."""
        columns = self.columns()
        name = columns.pop("name", "") or KINDS[columns["kind"]].label
        return Schedule(owner=self.context["owner"], name=name, **columns)


def check_scheduled_request(kind: str, request: dict[str, Any], owner: Any) -> None:
    """Raises ValidationError, BlockedAddress, and PermissionDenied."""
    errors = {name: [text] for name, text in NOT_REPEATED.items() if name in request}
    if errors:
        raise serializers.ValidationError({"request": errors})
    try:
        validated_request(kind, request, owner)
    except serializers.ValidationError as error:
        raise serializers.ValidationError({"request": error.detail}) from error


class Time(serializers.DateTimeField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)


class ScheduleRunResponse(serializers.Serializer[Any]):
    """One run. `jobId` is null if no job was started; `errorCode` and `error` say why.

    `status` is that of the job, null if the job was deleted.
    """

    dueAt = Time(source="due_at")
    jobId = serializers.UUIDField(source="job_id", allow_null=True)
    status = serializers.CharField(allow_null=True)
    statusUrl = serializers.CharField(allow_null=True)
    errorCode = serializers.CharField(source="error_code", allow_null=True)
    error = serializers.CharField(allow_null=True)

    def to_representation(self, run: ScheduleRun) -> dict[str, Any]:
        return {
            "dueAt": run.due_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "jobId": run.job_id and str(run.job_id),
            "status": run.kept_job.status if run.kept_job else None,
            "statusUrl": reverse("status", args=[run.job_id]) if run.kept_job else None,
            "errorCode": run.error_code or None,
            "error": run.error or None,
        }


class ScheduleSummary(serializers.Serializer[Any]):
    """A schedule. `description` says in words what `cron` means.

    `nextRunAt` is null while it is paused. `runs` are the last ones, the newest first.
    """

    scheduleId = serializers.UUIDField(source="id")
    name = serializers.CharField()
    kind = serializers.CharField()
    cron = serializers.CharField()
    timeZone = serializers.CharField(source="time_zone")
    description = serializers.CharField(source="cron_text")
    paused = serializers.BooleanField(source="is_paused")
    nextRunAt = Time(source="next_run_at", allow_null=True)
    runs = ScheduleRunResponse(many=True, source="runs.all")
    createdAt = Time(source="created_at")
    updatedAt = Time(source="updated_at")


class ScheduleResponse(ScheduleSummary):
    """A schedule with its request."""

    request = RequestBody()


class SchedulesResponse(serializers.Serializer[Any]):
    """Your schedules, the newest first."""

    results = ScheduleSummary(many=True)


def own_schedule(request: Request | HttpRequest, schedule_id: UUID) -> Schedule:
    """Return the user's schedule. Raises Http404, or PermissionDenied for another user's."""
    schedule = Schedule.objects.with_runs().filter(pk=schedule_id).first()
    is_own = schedule is not None and schedule.owner_id == authenticated_user(request).pk
    if schedule is None or (settings.HIDE_FOREIGN_JOBS and not is_own):
        raise Http404("This schedule does not exist.")
    if not is_own:
        raise PermissionDenied("This schedule belongs to another user.")
    return schedule
