"""What the service tells, as values that can be relied on. Anything else is Unreachable.

A proxy, a portal or a stranger may answer in the service's place: no field is believed to be
there, to be of its type, or to be fit for a terminal.
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
from downloads_client.http import seconds_asked

ACTIVE = ("queued", "processing")
FINAL = ("completed", "failed", "cancelled", "expired")
MAX_NUMBER = 2**63
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Answer:
    """A whole answer; `seconds` is its Retry-After, if there is one."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300 or self.status == 304

    @property
    def seconds(self) -> float | None:
        return seconds_asked(self.headers)

    def told(self) -> Told:
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise not_the_service() from error
        if not isinstance(found, dict):
            raise not_the_service()
        return Told(found)


class Told:
    """A JSON object of the service's."""

    def __init__(self, found: dict[str, Any]) -> None:
        self._found = found

    def text(self, name: str, default: str | None = None) -> str:
        """Fit for a terminal."""
        value = self._found.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise not_the_service()
        return printable(value)

    def address(self, name: str) -> str:
        """As it is, fit for a header: never to be shown, for whoever has it has the file."""
        self.text(name)
        value = str(self._found[name])
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
        value = self._found.get(name)
        # A comparison with NaN is false, so that it is none of these either.
        if type(value) not in (int, float) or not 0 <= value < MAX_NUMBER:  # type: ignore[operator]
            raise not_the_service()
        return value  # type: ignore[return-value]

    def number_or_none(self, name: str) -> float | None:
        return None if self._found.get(name) is None else self.number(name)

    def moment_or_none(self, name: str) -> datetime | None:
        """In the zone of whoever looks at the terminal, as far as this process knows it."""
        if not (text := self.text(name, "")):
            return None
        try:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone()
        except (ValueError, OverflowError) as error:
            raise not_the_service() from error

    def count(self, name: str) -> int:
        """Of the elements of a list; 0 where there is none."""
        value = self._found.get(name, [])
        if not isinstance(value, list):
            raise not_the_service()
        return len(value)

    def details(self) -> str:
        """The sentence of a problem, and what is wrong with which field."""
        errors = self._found.get("errors")
        listed = errors if isinstance(errors, list) else []
        fields = [Told(each) for each in listed if isinstance(each, dict)]
        told = [f"{each.text('field', '')}: {each.text('detail', '')}" for each in fields]
        return printable(" ".join([self.text("detail", ""), *told]).strip())


@dataclass(frozen=True)
class Job:
    """A job, as told once. `speed`, in units a second, and `threads` are 0 where nobody told.

    It starts at `run_at`, if there is one, and when `others` of the owner's jobs are done.
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
    others: int
    error: str
    error_code: str
    etag: str
    poll_seconds: float

    @classmethod
    def of(cls, answer: Answer) -> Self:
        told = answer.told()
        if (status := told.text("status")) not in ACTIVE + FINAL:
            raise not_the_service()
        total = told.number_or_none("total")
        return cls(
            id=told.uuid("jobId"),
            kind=told.text("kind", ""),
            status=status,
            progress=min(told.number("progress"), 1.0),
            message=told.text("message", ""),
            done=int(told.number("done")),
            total=None if total is None else int(total),
            unit=told.text("unit", "bytes"),
            speed=told.number_or_none("speed") or 0,
            threads=int(told.number_or_none("threads") or 0),
            attempt=int(told.number("attempts")),
            name=told.text("fileName", ""),
            seconds_left=told.number_or_none("estimatedSecondsRemaining"),
            run_at=told.moment_or_none("runAt"),
            others=told.count("after"),
            error=told.text("error", told.text("lastError", "")),
            error_code=told.text("errorCode", ""),
            etag=answer.headers.get("ETag", ""),
            poll_seconds=poll_seconds(answer),
        )

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def is_waiting(self) -> bool:
        """For its time or for others; not for a worker, nor to be tried again."""
        return self.others > 0 or self.starts_at is not None

    @property
    def starts_at(self) -> datetime | None:
        """Its time, as long as that has not come."""
        return self.run_at if self.run_at and self.run_at > datetime.now(UTC) else None


@dataclass(frozen=True)
class Result:
    """A finished file: what it must be, and an address that works for some minutes."""

    url: str
    name: str
    size: int
    sha256: str

    @classmethod
    def of(cls, answer: Answer) -> Self:
        told = answer.told()
        return cls(
            url=told.address("downloadUrl"),
            name=told.text("fileName"),
            size=int(told.number("size")),
            sha256=told.sha256("sha256"),
        )


def poll_seconds(answer: Answer) -> float:
    return min(answer.seconds or 1.0, 60.0)


def not_the_service() -> Unreachable:
    return Unreachable("What answers is not the service: its answer cannot be read.")
