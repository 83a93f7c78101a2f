"""The fields of a form that repeat its request: how often, at what time, in which time zone."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ErrorDetail, ValidationError

from jobs.engine.schedules import create_schedule
from jobs.lib.cron import time_zones
from jobs.web.pages.form_submit import FORM_ID
from jobs.web.pages.rendering import SeeOther
from jobs.web.pages.terms import SENTENCES
from jobs.web.schedules import ScheduleRequest
from jobs.web.serializers import JobRequest
from jobs.web.serializers.requests import request_serializer_context

CRON = "cron"
FREQUENCIES = {
    "": "Don't repeat",
    "daily": "Every day",
    "weekdays": "Monday to Friday",
    "weekly": "Every Monday",
    "monthly": "Every first of the month",
    CRON: "As a cron line says",
}
LINES = {
    "daily": "{minute} {hour} * * *",
    "weekdays": "{minute} {hour} * * 1-5",
    "weekly": "{minute} {hour} * * 1",
    "monthly": "{minute} {hour} 1 * *",
}
CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(:\d\d)?", re.ASCII)
NAMES = {"cron": "repeatCron", "timeZone": "repeatZone"}  # in a form, beside a kind's own fields
USUAL_CLOCK = "08:00"


@dataclass(frozen=True)
class RepeatFields:
    """What the fields show."""

    repeat: str
    clock: str
    cron: str
    time_zone: str
    frequencies: Mapping[str, str] = field(default_factory=lambda: FREQUENCIES)
    zones: tuple[str, ...] = field(default_factory=time_zones)

    @property
    def is_open(self) -> bool:
        return bool(self.repeat)


def repeat_fields(form: Mapping[str, Any]) -> RepeatFields:
    """Return the submitted values, or those of a form that repeats nothing."""
    repeat = str(form.get("repeat", ""))
    return RepeatFields(
        repeat=repeat if repeat in FREQUENCIES else "",
        clock=str(form.get("repeatAt", USUAL_CLOCK)),
        cron=str(form.get("repeatCron", "")),
        time_zone=str(form.get("repeatZone", timezone.get_current_timezone_name())),
    )


def is_repeated(form: Mapping[str, Any]) -> bool:
    return bool(repeat_fields(form).repeat)


def submit_schedule(request: HttpRequest, job_request: JobRequest) -> SeeOther:
    """Save a schedule of the valid request, and redirect to the list.

    Raises ValidationError about the fields of this module, BlockedAddress and LimitReached.
    """
    form = request.POST
    if "runAt" in job_request.validated_data:
        raise ValidationError({"runAt": [ErrorDetail(SENTENCES["runAt"]["repeated"], "repeated")]})
    body = {
        "kind": job_request.kind.name,
        "request": _request_body(job_request),
        "cron": _cron(form),
        "timeZone": repeat_fields(form).time_zone,
    }
    context = request_serializer_context(request)
    serializer = ScheduleRequest(data=body, context=context)
    try:
        serializer.is_valid(raise_exception=True)
    except ValidationError as error:
        detail: Any = error.detail
        raise ValidationError({NAMES.get(name, name): detail[name] for name in detail}) from error
    schedule, _ = create_schedule(serializer.schedule(), key=_key(request, body))
    messages.success(request, f"Saved. {schedule.cron_text}, {schedule.time_zone}.")
    return SeeOther(reverse("schedules"))


def _request_body(job_request: JobRequest) -> dict[str, Any]:
    """Return the values that were submitted, as JSON; defaults may change until a run."""
    values = job_request.to_representation(job_request.validated_data)
    given = job_request.initial_data
    return {name: value for name, value in values.items() if name in given and value is not None}


def _cron(form: Mapping[str, Any]) -> str:
    """Return the cron line of the form. Raises ValidationError."""
    fields = repeat_fields(form)
    if fields.repeat == CRON:
        return fields.cron
    if not (clock := CLOCK.fullmatch(fields.clock)):
        raise ValidationError({"repeatAt": ["Choose a time."]})
    hour, minute = int(clock[1]), int(clock[2])
    return LINES[fields.repeat].format(hour=hour, minute=minute)


def _key(request: HttpRequest, body: dict[str, Any]) -> str:
    """Return a key of the form and its values: a form that is sent twice is one schedule."""
    form_id = request.GET.get("once", "")
    if not FORM_ID.fullmatch(form_id):
        return ""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return f"page-{form_id}-{digest}"
