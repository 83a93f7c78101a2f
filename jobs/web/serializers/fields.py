"""Serializers and fields of requests, beside the fields of DRF.

`openapi` of a field is JSON Schema that drf-spectacular cannot derive.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, ClassVar

from django.utils import timezone
from rest_framework import serializers

from jobs.models.stored_file import MAX_FILE_ID, MIN_FILE_ID
from jobs.outbound.targets import target_of
from jobs.outbound.url_parser import BadUrl
from jobs.web.serializers.choice_errors import name_choices
from jobs.web.serializers.json_types import (
    MAX_REPORTED,
    integer_field_value,
    merged_errors,
    type_errors,
)

SHA256 = re.compile("[0-9A-Fa-f]{64}")
MAX_JOB_IDS = 1_000
MAX_NAME_CHARS = 200
MAX_WEBHOOK_CHARS = 2_000  # the length of the columns
# RFC 3339, with a time zone. Postgres and Python have no leap seconds.
MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]([01]\d|2[0-3])(:[0-5]\d){2}(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
MAX_AHEAD = timedelta(days=366)
NO_NUL = r"^[^\u0000]+$"
# Python also strips some characters that \s does not match.
NOT_BLANK = r"^[^\u0000]*[^\u0000\s\u001c-\u001f\u0085][^\u0000]*$"


class Binary(serializers.FileField):
    """An uploaded file. drf-spectacular takes a FileField for the URL of a file."""

    openapi = {"format": "binary"}


class StrictSerializer(serializers.Serializer[Any]):
    """Rejects unknown fields, so that a misspelled one is not ignored, and other JSON types.

    `RULES` is JSON Schema for the OpenAPI document: which fields go together.
    """

    RULES: dict[str, Any] = {}
    is_json: ClassVar[bool] = True  # if not, its data are text, as in a form

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        for field in fields.values():
            name_choices(field)
        return fields

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := set(data) - set(self.fields)):
            raise serializers.ValidationError(
                {name: ["Unknown field."] for name in sorted(unknown)}, code="unknown"
            )
        wrong_types = type_errors(self, data) if self.is_json else {}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            detail: Any = error.detail
            raise serializers.ValidationError(merged_errors(wrong_types, detail)) from error
        if wrong_types:
            raise serializers.ValidationError(wrong_types)
        return values


class TextField(serializers.CharField):
    """Text that is not blank, as the OpenAPI document says, too."""

    @property
    def openapi(self) -> dict[str, Any]:
        return {"minLength": 1, "pattern": NOT_BLANK if self.trim_whitespace else NO_NUL}


class Url(TextField):
    """A link that can be fetched, judged by its text. Raises BlockedAddress for a blocked one."""

    default_error_messages = {"bad_url": "{reason}"}
    openapi = {"format": "uri", "minLength": 1, "pattern": r"^\s*[Hh][Tt][Tt][Pp][Ss]?://"}

    def to_internal_value(self, data: Any) -> str:
        url = super().to_internal_value(data)
        if self.max_length and len(url) > self.max_length:
            self.fail("bad_url", reason=f"Use at most {self.max_length:,} characters.")
        try:
            target_of(url)
        except BadUrl as error:
            self.fail("bad_url", reason=str(error))
        return url


class Sha256(TextField):
    default_error_messages = {"bad_sha256": "Use 64 hexadecimal digits."}
    openapi = {"pattern": r"^\s*[0-9A-Fa-f]{64}\s*$"}

    def to_internal_value(self, data: Any) -> str:
        if not SHA256.fullmatch(digits := super().to_internal_value(data)):
            self.fail("bad_sha256")
        return digits.lower()


class Timestamp(serializers.DateTimeField):
    """A time of RFC 3339, at most a year ahead."""

    default_error_messages = {
        "no_moment": "Use a time with a time zone, such as 2026-11-23T06:00:00Z.",
        "too_far": "Use a time within 366 days.",
    }

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or not MOMENT.fullmatch(data):
            self.fail("no_moment")
        try:
            time = datetime.fromisoformat(data.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("no_moment")
        if time > timezone.now() + MAX_AHEAD:
            self.fail("too_far")
        return time


class FileIdField(serializers.IntegerField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=MIN_FILE_ID, max_value=MAX_FILE_ID, **kwargs)


class StrictList(serializers.ListField):
    """A JSON list. Reports the first MAX_REPORTED invalid items; none if the list is too long."""

    def to_internal_value(self, data: Any) -> list[Any]:
        limit = self.max_length
        if limit is not None and isinstance(data, list) and len(data) > limit:
            self.fail("max_length", max_length=limit)
        items: list[Any] = super().to_internal_value(data)
        return items

    def run_child_validation(self, data: list[Any]) -> list[Any]:
        values, errors = [], dict[str, Any]()
        for n, item in enumerate(data):
            try:
                values.append(self.child.run_validation(item))
            except serializers.ValidationError as error:
                errors[str(n)] = error.detail
            if len(errors) == MAX_REPORTED:
                break
        if errors:
            raise serializers.ValidationError(errors)
        return values


class FileIdsField(StrictList):
    """Up to 100,000 file ids, checked in one pass. Reports the first MAX_REPORTED invalid ones."""

    child = FileIdField()

    @property
    def openapi(self) -> dict[str, Any]:
        return {"minItems": 0 if self.allow_empty else 1}

    def to_representation(self, data: list[int]) -> list[int]:
        return data

    def run_child_validation(self, data: list[Any]) -> list[int]:
        data = [integer_field_value(item) for item in data]
        invalid = (
            (n, item)
            for n, item in enumerate(data)
            if type(item) is not int or not MIN_FILE_ID <= item <= MAX_FILE_ID
        )
        errors: dict[str, Any] = {}
        for n, item in islice(invalid, MAX_REPORTED):
            try:
                self.child.run_validation(item)
            except serializers.ValidationError as error:
                errors[str(n)] = error.detail
        if errors:
            raise serializers.ValidationError(errors)
        return data
