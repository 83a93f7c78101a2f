"""JSON objects whose members are validated. Raises Unreachable for any other response.

A proxy or a captive portal may respond in the service's place, so that every member is checked for
presence and type, and text is made safe for a terminal.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from downloads_client.failures import Unreachable
from downloads_client.formatting import format_printable

MAX_NUMBER = 2**63
SHA256 = re.compile(r"[0-9a-f]{64}")


class JsonObject:
    """A JSON object. Its methods raise Unreachable for a member that is missing or malformed."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Return the object. Raises Unreachable if the body is no JSON object."""
        try:
            found = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise not_json_object() from error
        if not isinstance(found, dict):
            raise not_json_object()
        return cls(found)

    @property
    def raw(self) -> dict[str, Any]:
        """The members, unchecked: for JSON, not for a terminal."""
        return self._members

    def has(self, name: str) -> bool:
        """Return True if the member is there and not null."""
        return self._members.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """Return the member, safe to print."""
        value = self._members.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise not_json_object()
        return format_printable(value)

    def secret(self, name: str) -> str:
        """Return the member unchanged, safe in a header. Never print it: it grants access."""
        self.text(name)
        value = str(self._members[name])
        if not (value.isascii() and value.isprintable()):
            raise not_json_object()
        return value

    def uuid(self, name: str) -> UUID:
        try:
            return UUID(self.text(name))
        except ValueError as error:
            raise not_json_object() from error

    def sha256(self, name: str) -> str:
        if not SHA256.fullmatch(value := self.text(name)):
            raise not_json_object()
        return value

    def number(self, name: str) -> float:
        value = self._members.get(name)
        # A comparison with NaN is false, so that it is none of these either.
        if type(value) not in (int, float) or not 0 <= value < MAX_NUMBER:  # type: ignore[operator]
            raise not_json_object()
        return value  # type: ignore[return-value]

    def number_or_none(self, name: str) -> float | None:
        return None if self._members.get(name) is None else self.number(name)

    def integer_or_none(self, name: str) -> int | None:
        number = self.number_or_none(name)
        return None if number is None else int(number)

    def integers(self, name: str) -> list[int]:
        """Return a list of integers."""
        value = self._members.get(name)
        if not isinstance(value, list) or not all(type(each) is int for each in value):
            raise not_json_object()
        return value

    def moment_or_none(self, name: str) -> datetime | None:
        """Return the time in the local time zone."""
        if not (text := self.text(name, "")):
            return None
        try:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone()
        except (ValueError, OverflowError) as error:
            raise not_json_object() from error

    def objects(self, name: str) -> list[JsonObject]:
        """Return a list of JSON objects."""
        value = self._members.get(name)
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise not_json_object()
        return [JsonObject(each) for each in value]

    def members(self, name: str) -> dict[str, Any]:
        """Return the members of a JSON object, unchecked; empty for null."""
        value = self._members.get(name) or {}
        if not isinstance(value, dict):
            raise not_json_object()
        return value

    def count(self, name: str) -> int:
        """Return the length of a list; 0 if it is missing."""
        value = self._members.get(name, [])
        if not isinstance(value, list):
            raise not_json_object()
        return len(value)

    def details(self) -> str:
        """Return the `detail` of a problem (RFC 9457) and its errors by field."""
        found = self._members.get("errors")
        listed = found if isinstance(found, list) else []
        fields = [JsonObject(each) for each in listed if isinstance(each, dict)]
        errors = [f"{each.text('field', '')}: {each.text('detail', '')}" for each in fields]
        return format_printable(" ".join([self.text("detail", ""), *errors]).strip())


def not_json_object() -> Unreachable:
    return Unreachable("The response is not from the service: it could not be read.")
