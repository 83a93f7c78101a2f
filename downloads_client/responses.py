"""Validated responses of the service. Raises Unreachable for any other response.

A proxy or a captive portal may respond in the service's place, so that every member is checked for
presence and type, and text is made safe for a terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from downloads_client.errors import Unreachable
from downloads_client.formatting import printable
from downloads_client.http import retry_after_seconds

ACTIVE = ("queued", "processing")
FINAL = ("completed", "failed", "cancelled", "expired")
MAX_NUMBER = 2**63
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ApiResponse:
    """A complete HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300 or self.status == 304

    @property
    def retry_after_seconds(self) -> float | None:
        return retry_after_seconds(self.headers)

    def json(self) -> JsonObject:
        """Return the body. Raises Unreachable if it is no JSON object."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise not_the_service() from error
        if not isinstance(found, dict):
            raise not_the_service()
        return JsonObject(found)


class JsonObject:
    """A JSON object. Its methods raise Unreachable for a member that is missing or malformed."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    def text(self, name: str, default: str | None = None) -> str:
        """Return the member, safe to print."""
        value = self._members.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise not_the_service()
        return printable(value)

    def secret(self, name: str) -> str:
        """Return the member unchanged, safe in a header. Never print it: it grants access."""
        self.text(name)
        value = str(self._members[name])
        if not (value.isascii() and value.isprintable()):
            raise not_the_service()
        return value

    def uuid(self, name: str) -> UUID:
        try:
            return UUID(self.text(name))
        except ValueError as error:
            raise not_the_service() from error

    def sha256(self, name: str) -> str:
        if not SHA256.fullmatch(value := self.text(name)):
            raise not_the_service()
        return value

    def number(self, name: str) -> float:
        value = self._members.get(name)
        # A comparison with NaN is false, so that it is none of these either.
        if type(value) not in (int, float) or not 0 <= value < MAX_NUMBER:  # type: ignore[operator]
            raise not_the_service()
        return value  # type: ignore[return-value]

    def number_or_none(self, name: str) -> float | None:
        return None if self._members.get(name) is None else self.number(name)

    def moment_or_none(self, name: str) -> datetime | None:
        """Return the time in the local time zone."""
        if not (text := self.text(name, "")):
            return None
        try:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone()
        except (ValueError, OverflowError) as error:
            raise not_the_service() from error

    def count(self, name: str) -> int:
        """Return the length of a list; 0 if it is missing."""
        value = self._members.get(name, [])
        if not isinstance(value, list):
            raise not_the_service()
        return len(value)

    def details(self) -> str:
        """Return the `detail` of a problem (RFC 9457) and its errors by field."""
        found = self._members.get("errors")
        listed = found if isinstance(found, list) else []
        fields = [JsonObject(each) for each in listed if isinstance(each, dict)]
        errors = [f"{each.text('field', '')}: {each.text('detail', '')}" for each in fields]
        return printable(" ".join([self.text("detail", ""), *errors]).strip())


@dataclass(frozen=True)
class Job:
    """The state of a job. `speed`, in units per second, and `threads` are 0 if unknown.

    It starts after `run_at`, if set, and after the `depends_on_count` jobs that it depends on.
    """

    id: UUID
    kind: str
    status: str
    progress: float
    message: str
    done: int
    total: int | None
    unit: str
    speed: float
    threads: int
    attempt: int
    name: str
    seconds_left: float | None
    run_at: datetime | None
    depends_on_count: int
    error: str
    error_code: str
    etag: str
    poll_seconds: float

    @classmethod
    def of(cls, response: ApiResponse) -> Self:
        body = response.json()
        if (status := body.text("status")) not in ACTIVE + FINAL:
            raise not_the_service()
        total = body.number_or_none("total")
        return cls(
            id=body.uuid("jobId"),
            kind=body.text("kind", ""),
            status=status,
            progress=min(body.number("progress"), 1.0),
            message=body.text("message", ""),
            done=int(body.number("done")),
            total=None if total is None else int(total),
            unit=body.text("unit", "bytes"),
            speed=body.number_or_none("speed") or 0,
            threads=int(body.number_or_none("threads") or 0),
            attempt=int(body.number("attempts")),
            name=body.text("fileName", ""),
            seconds_left=body.number_or_none("estimatedSecondsRemaining"),
            run_at=body.moment_or_none("runAt"),
            depends_on_count=body.count("after"),
            error=body.text("error", body.text("lastError", "")),
            error_code=body.text("errorCode", ""),
            etag=response.headers.get("ETag", ""),
            poll_seconds=poll_seconds(response),
        )

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def is_waiting(self) -> bool:
        """True before `run_at` or while dependencies run; not while waiting for a worker."""
        return self.depends_on_count > 0 or self.starts_at is not None

    @property
    def starts_at(self) -> datetime | None:
        """`run_at` while it is in the future, otherwise None."""
        return self.run_at if self.run_at and self.run_at > datetime.now(UTC) else None


@dataclass(frozen=True)
class DownloadResult:
    """A finished file: its name, size and SHA-256, and a URL that works for some minutes."""

    url: str
    name: str
    size: int
    sha256: str

    @classmethod
    def of(cls, response: ApiResponse) -> Self:
        body = response.json()
        return cls(
            url=body.secret("downloadUrl"),
            name=body.text("fileName"),
            size=int(body.number("size")),
            sha256=body.sha256("sha256"),
        )


def poll_seconds(response: ApiResponse) -> float:
    """Return the seconds until the next poll: Retry-After, at most a minute."""
    return min(response.retry_after_seconds or 1.0, 60.0)


def not_the_service() -> Unreachable:
    return Unreachable("The response is not from the service: it could not be read.")
