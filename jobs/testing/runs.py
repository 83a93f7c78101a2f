"""Run a kind once, in memory or on the real servers, and return what it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from jobs import storage
from jobs.engine import runner
from jobs.engine.submission import submit_job
from jobs.kinds.base import Kind
from jobs.kinds.registry import KINDS
from jobs.lib.digest import Digest
from jobs.models import DownloadJob
from jobs.testing.memory_workspace import MemoryFile, MemoryWorkspace
from jobs.web.serializers import JobRequest, request_of


@dataclass(frozen=True)
class Result:
    """What a builder made and reported. `progress` has (done, total, unit) of each step."""

    content: bytes
    name: str
    content_type: str
    sha256: str
    progress: tuple[tuple[int, int | None, str], ...]
    messages: tuple[str, ...]
    metadata: Mapping[str, Any]
    checkpoint: Any  # the last one
    files: Mapping[str, MemoryFile]  # attached the artifact, by role


@dataclass(frozen=True)
class FinishedRun:
    """A job after one attempt, and the files that it stored."""

    job: DownloadJob
    content: bytes
    files: Mapping[str, MemoryFile]


def run(
    kind: type[Kind],
    /,
    *,
    owner: User,
    cancel_after: int | None = None,
    checkpoint: Any = None,
    sources: Mapping[str, bytes] | None = None,
    uploaded: bytes | None = None,
    **request: Any,
) -> Result:
    """Load and build in memory, without servers. `request` is what a client would send.

    Raises DRF's ValidationError, and what `load` and `build` raise. With `cancel_after`, that call
    of the workspace raises Interrupted. `checkpoint` is what an earlier attempt saved,
    `sources` are the contents of stored files by key. If
    `load` uses the database, the test needs pytest's `django_db`.
    """
    submission = _request(kind, owner, request).submission()
    one, params = kind(), submission["params"]
    name = one.artifact_name(submission["name"], params)
    job = DownloadJob(
        owner=owner, kind=kind.name, params=params, name=name, created_at=timezone.now()
    )
    work = MemoryWorkspace(
        kind=kind,
        name=name,
        sources=sources or {},
        uploaded=uploaded,
        cancel_after=cancel_after,
        checkpoint=checkpoint,
    )
    try:
        one.build(one.load(job), work)
    finally:
        work.close()
    return _result(work)


def run_job(kind: type[Kind], /, *, owner: User, **request: Any) -> FinishedRun:
    """Submit a job and run one attempt in this process, on the real servers.

    The kind must be in the setting KINDS, and the test needs `django_db(transaction=True)`: an
    attempt has connections of its own. A failure is in `job.error_code` and `job.error`.
    """
    if not isinstance(KINDS.get(kind.name), kind):
        raise LookupError(f"{kind.__name__} is not in the setting KINDS.")
    if connection.in_atomic_block:
        raise RuntimeError("Mark the test with django_db(transaction=True).")
    storage.make_bucket()
    job, _ = submit_job(owner=owner, **_request(kind, owner, request).submission())
    runner.run_job(job.pk, task_id="test", worker="test")
    job.refresh_from_db()
    content = b"".join(storage.read_object(job.artifact.key)) if job.artifact else b""
    attached = {
        file.role: MemoryFile(b"".join(storage.read_object(file.key)), file.name, file.content_type)
        for file in job.files.previews()
    }
    return FinishedRun(job, content, attached)


def _request(kind: type[Kind], owner: User, data: Mapping[str, Any]) -> JobRequest:
    """Return the valid request. Raises ValidationError."""
    request = request_of(kind)(data=dict(data), context={"owner": owner})
    request.is_valid(raise_exception=True)
    return request


def _result(work: MemoryWorkspace) -> Result:
    digest = Digest()
    digest.update(work.content)
    return Result(
        content=work.content,
        name=work.name,
        content_type=work.content_type,
        sha256=digest.sha256,
        progress=tuple(work.progress),
        messages=tuple(work.messages),
        metadata=dict(work.metadata),
        checkpoint=work.checkpoint,
        files=dict(work.files),
    )
