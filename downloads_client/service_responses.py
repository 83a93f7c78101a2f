"""The responses of the service: jobs, and results of completed jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from downloads_client.http_session import session_retry_after
from downloads_client.json_object import JsonObject, not_json_object
from downloads_client.kinds.published_kind import PublishedKind

MAX_CHUNKS = 10_000
ACTIVE = ("queued", "processing")
FINAL = ("completed", "failed", "cancelled", "expired")


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
        return session_retry_after(self.headers)

    def json(self) -> JsonObject:
        """Return the body. Raises Unreachable if it is no JSON object."""
        return JsonObject.parse(self.body)


@dataclass(frozen=True)
class JobResponse:
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
    started_at: datetime | None
    finished_at: datetime | None
    depends_on_count: int
    error: str
    error_code: str
    etag: str
    poll_seconds: float
    file_id: int | None  # of a completed upload or link
    has_file: bool  # of a completed job: some do work and make no file

    @classmethod
    def of(cls, response: ApiResponse) -> Self:
        body = response.json()
        if (status := body.text("status")) not in ACTIVE + FINAL:
            raise not_json_object()
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
            started_at=body.moment_or_none("startedAt"),
            finished_at=body.moment_or_none("finishedAt"),
            depends_on_count=body.count("after"),
            error=body.text("error", body.text("lastError", "")),
            error_code=body.text("errorCode", ""),
            etag=response.headers.get("ETag", ""),
            poll_seconds=response_poll_seconds(response),
            file_id=body.integer_or_none("fileId"),
            has_file=bool(body.text("downloadUrl", "")),
        )

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def took_seconds(self) -> float | None:
        """How long the last attempt of a finished job took; None if the service does not say."""
        if not (self.started_at and self.finished_at):
            return None
        return max((self.finished_at - self.started_at).total_seconds(), 0)

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


@dataclass(frozen=True)
class UploadResponse:
    """An upload in chunks that is not complete. `missing` are the numbers of the chunks to send."""

    id: UUID
    size: int
    chunk_size: int
    chunks: int
    missing: list[int]

    @classmethod
    def of(cls, response: ApiResponse) -> Self:
        body = response.json()
        size, chunk_size = int(body.number("totalSize")), int(body.number("chunkSize"))
        chunks = int(body.number("totalChunks"))
        if not 0 < chunks <= MAX_CHUNKS or chunks != -(-size // max(chunk_size, 1)):
            raise not_json_object()
        received = set(body.integers("receivedChunks"))
        return cls(
            id=body.uuid("jobId"),
            size=size,
            chunk_size=chunk_size,
            chunks=chunks,
            missing=[n for n in range(chunks) if n not in received],
        )

    def begin_of(self, chunk: int) -> int:
        """Return the place of the chunk's first byte in the file."""
        return chunk * self.chunk_size

    def size_of(self, chunk: int) -> int:
        return min(self.chunk_size, self.size - self.begin_of(chunk))


def response_poll_seconds(response: ApiResponse) -> float:
    """Return the seconds until the next poll: Retry-After, at most a minute."""
    return min(response.retry_after_seconds or 1.0, 60.0)


def published_kinds(body: JsonObject) -> list[PublishedKind]:
    """Return the kinds in a response of `GET /v1/kinds`."""
    return [
        PublishedKind(
            name=each.text("kind"),
            label=each.text("label"),
            path=each.text("url").lstrip("/"),
            schema=each.members("requestSchema"),
        )
        for each in body.objects("results")
    ]
