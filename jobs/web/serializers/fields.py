"""The fields of requests: strict, as JSON tells types apart."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.utils import timezone
from rest_framework import serializers

from jobs.kinds.registry import MAX_DAYS
from jobs.outbound.targets import BadUrl, target_of

MIN_FILE_ID, MAX_FILE_ID = 10_000, 100_000_000
SHA256 = re.compile("[0-9A-Fa-f]{64}")
MAX_TOLD = 20  # wrong ids in one answer
MAX_JOB_IDS = 1_000
MAX_WEBHOOK_CHARS = 2_000  # as many as the columns have
# As RFC 3339 has it: with a zone, so that nobody has to guess whose clock is meant. Postgres and
# Python know no leap seconds.
MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]([01]\d|2[0-3])(:[0-5]\d){2}(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
PERIOD = re.compile("[1-9][0-9]{0,2}d")
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
FARTHEST = timedelta(days=366)  # that something can be asked for ahead


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know: a typing error must not be ignored in silence.

    `RULES` says in JSON Schema which fields go together, for the OpenAPI document.
    """

    RULES: dict[str, Any] = {}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := set(data) - set(self.fields)):
            raise serializers.ValidationError(
                {name: ["This field is not known."] for name in sorted(unknown)}, code="unknown"
            )
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A JSON string, and no number that could be written as one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Url(Text):
    """A link that may be fetched, by its text alone. Raises BlockedAddress for one that may not."""

    default_error_messages = {"bad_url": "{reason}"}

    def to_internal_value(self, data: Any) -> str:
        url = super().to_internal_value(data)
        if self.max_length and len(url) > self.max_length:
            self.fail("bad_url", reason=f"A link has at most {self.max_length:,} characters.")
        try:
            target_of(url)
        except BadUrl as error:
            self.fail("bad_url", reason=str(error))
        return url


class Sha256(Text):
    default_error_messages = {"bad_sha256": "64 hexadecimal digits."}

    def to_internal_value(self, data: Any) -> str:
        if not SHA256.fullmatch(digits := super().to_internal_value(data)):
            self.fail("bad_sha256")
        return digits.lower()


class Switch(serializers.BooleanField):
    """A JSON true or false, and nothing that looks like one."""

    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            self.fail("invalid", input=data)
        return data


class Moment(serializers.DateTimeField):
    """A point in time of RFC 3339, at most a year ahead."""

    default_error_messages = {
        "no_moment": "A time such as 2026-11-23T06:00:00Z, with its zone.",
        "too_far": "At most 366 days ahead.",
    }

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or not MOMENT.fullmatch(data):
            self.fail("no_moment")
        try:
            moment = datetime.fromisoformat(data.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("no_moment")
        if moment > timezone.now() + FARTHEST:
            self.fail("too_far")
        return moment


class Day(serializers.DateField):
    """A day of the calendar, 2026-11-23, at most a year ahead."""

    default_error_messages = {"too_far": "At most 366 days ahead."}

    def to_internal_value(self, data: Any) -> date:
        if not isinstance(data, str) or not DAY.fullmatch(data):
            self.fail("invalid", format="YYYY-MM-DD")
        day: date = super().to_internal_value(data)
        if day > (timezone.now() + FARTHEST).date():
            self.fail("too_far")
        return day


class Period(Text):
    """So many days: 7d."""

    default_error_messages = {"bad_period": f"Days, as in 7d or 30d; at most {MAX_DAYS}d."}

    def to_internal_value(self, data: Any) -> str:
        if not PERIOD.fullmatch(period := super().to_internal_value(data)):
            self.fail("bad_period")
        if int(period.removesuffix("d")) > MAX_DAYS:
            self.fail("bad_period")
        return period


class JobId(serializers.UUIDField):
    """As it was told: a UUID in JSON text."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


def whole(number: Any) -> Any:
    """JSON has one kind of number: 7.0 is 7. What is none stays as it is, and is refused."""
    return int(number) if type(number) is float and number.is_integer() else number


class Whole(serializers.IntegerField):
    """A JSON number, and no string that looks like one."""

    def to_internal_value(self, data: Any) -> int:
        if type(data := whole(data)) is not int:
            self.fail("invalid")
        return super().to_internal_value(data)


class FileIdField(Whole):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=MIN_FILE_ID, max_value=MAX_FILE_ID, **kwargs)


class Listing(serializers.ListField):
    """A JSON list. One that is too long is not looked into; the first wrong items are reported."""

    def to_internal_value(self, data: Any) -> list[Any]:
        most = self.max_length
        if most is not None and isinstance(data, list) and len(data) > most:
            self.fail("max_length", max_length=most)
        items: list[Any] = super().to_internal_value(data)
        return items

    def run_child_validation(self, data: list[Any]) -> list[Any]:
        found, wrong = [], dict[str, Any]()
        for n, item in enumerate(data):
            try:
                found.append(self.child.run_validation(item))
            except serializers.ValidationError as error:
                wrong[str(n)] = error.detail
            if len(wrong) == MAX_TOLD:
                break
        if wrong:
            raise serializers.ValidationError(wrong)
        return found


class FileIdsField(Listing):
    """Up to 100,000 file ids, looked at in one go; the first that are wrong are told."""

    child = FileIdField()

    def run_child_validation(self, data: list[Any]) -> list[int]:
        data = [whole(item) for item in data]
        wrong = (
            (n, item)
            for n, item in enumerate(data)
            if type(item) is not int or not MIN_FILE_ID <= item <= MAX_FILE_ID
        )
        told: dict[str, Any] = {}
        for n, item in islice(wrong, MAX_TOLD):
            try:
                self.child.run_validation(item)
            except serializers.ValidationError as error:
                told[str(n)] = error.detail
        if told:
            raise serializers.ValidationError(told)
        return data
