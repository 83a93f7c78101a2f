"""The params of a report: its period and its format."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from jobs.models.permissions import CanViewAllJobs, can_view_all_jobs
from jobs.web.serializers.fields import MAX_AHEAD, TextField

MAX_DAYS = 366
DEFAULT_PERIOD = "30d"
PERIOD = re.compile("[1-9][0-9]{0,2}d")
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Day(serializers.DateField):
    """A date such as 2026-11-23, at most a year ahead."""

    default_error_messages = {"too_far": "Use a time within 366 days."}

    def to_internal_value(self, data: Any) -> date:
        if not isinstance(data, str) or not DAY.fullmatch(data):
            self.fail("invalid", format="YYYY-MM-DD")
        day: date = super().to_internal_value(data)
        if day > (timezone.now() + MAX_AHEAD).date():
            self.fail("too_far")
        return day


class Period(TextField):
    """A number of days, such as 7d."""

    default_error_messages = {
        "bad_period": f"Use a number of days such as 7d or 30d, up to {MAX_DAYS}d."
    }
    openapi = {"pattern": "^([1-9]|[1-9][0-9]|[12][0-9][0-9]|3[0-5][0-9]|36[0-6])d$"}  # MAX_DAYS

    def to_internal_value(self, data: Any) -> str:
        if not PERIOD.fullmatch(period := super().to_internal_value(data)):
            self.fail("bad_period")
        if int(period.removesuffix("d")) > MAX_DAYS:
            self.fail("bad_period")
        return period


class ReportFields(serializers.Serializer[Any]):
    """`period` is a number of days that ends today; or set `from` and `to`. Days are in UTC.

    `everybody` includes the jobs of all owners. It requires staff with the permission
    `jobs.view_downloadjob`.
    """

    period = Period(required=False)
    to = Day(required=False)
    format = serializers.ChoiceField(choices=["pdf", "csv", "json"], default="pdf")
    everybody = serializers.BooleanField(default=False)
    RULES = {
        "oneOf": [
            {"required": ["from", "to"], "not": {"required": ["period"]}},
            {"not": {"anyOf": [{"required": ["from"]}, {"required": ["to"]}]}},
        ]
    }

    def get_fields(self) -> dict[str, Any]:
        return {"from": Day(required=False)} | super().get_fields()  # `from` is a keyword

    def validate_everybody(self, everybody: bool) -> bool:
        if everybody and not can_view_all_jobs(self.context["owner"]):
            raise serializers.ValidationError(CanViewAllJobs.message)
        return everybody

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first, last = attrs.get("from"), attrs.get("to")
        if "period" in attrs and (first or last):
            raise serializers.ValidationError(
                {"period": ["Send either `period`, or `from` and `to`."]}
            )
        if bool(first) != bool(last):
            missing = "to" if first else "from"
            raise serializers.ValidationError({missing: ["Send both `from` and `to`."]})
        if first and last and not 0 <= (last - first).days < MAX_DAYS:
            raise serializers.ValidationError(
                {"to": [f"Use a range of 1 to {MAX_DAYS} days, with `from` first."]}
            )
        return attrs if first else {"period": DEFAULT_PERIOD} | attrs
