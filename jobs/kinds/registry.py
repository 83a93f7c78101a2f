"""The kinds of jobs, by name: those in the setting KINDS, each a dotted path of a Kind."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import SimpleLazyObject
from django.utils.module_loading import import_string

from jobs.engine.doorbell_message import Doorbell, DoorbellSpan
from jobs.kinds.base import JobParams, Kind
from jobs.kinds.mistakes import mistakes
from jobs.models import DownloadJob, FileQuerySet, IncomingUpload, JobRow, StoredFile


def kind_class(path: str) -> type[Kind]:
    """Return the class at a dotted path. Raises ImproperlyConfigured with a sentence."""
    try:
        found = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"KINDS has {path!r}: {error}.") from error
    if not (isinstance(found, type) and issubclass(found, Kind)):
        raise ImproperlyConfigured(f"KINDS has {path!r}, which is not a Kind.")
    return found


def load_kinds() -> dict[str, Kind]:
    """Return the kinds in the setting KINDS. A system check reports those that are left out."""
    kinds: dict[str, Kind] = {}
    for path in settings.KINDS:
        with suppress(ImproperlyConfigured):
            found = kind_class(path)
            if not any(mistakes(found)):
                kinds.setdefault(found.name, found())
    return kinds


# Loaded when it is first used, because kinds import modules that use it.
KINDS = cast(dict[str, Kind], SimpleLazyObject(load_kinds))


def kind_sources(kind: str, params: JobParams, owner: User) -> FileQuerySet:
    """Return the stored files that a job reads; empty for a kind that reads none."""
    sources = KINDS[kind].stored_files(params)
    if sources is None:
        return StoredFile.objects.none()
    return StoredFile.objects.read_by(sources, owner.pk)


def kind_folder(job: DownloadJob) -> str:
    """Return the key prefix of everything that the job's attempts store in the bucket."""
    return f"{KINDS[job.kind].folder}/{job.pk}/"


def kind_folders() -> list[str]:
    """Return the key prefixes of everything that belongs to jobs and uploads."""
    return [IncomingUpload.FOLDER, *sorted({kind.folder for kind in KINDS.values()})]


def kind_doorbell(job: DownloadJob | JobRow) -> Doorbell:
    """Return the message for a worker that the job is ready."""
    kind = KINDS[job.kind]
    span = _send_span(job, kind) if settings.TRACING else None
    return replace(queue_doorbell(kind.queue, job.pk), span=span)


def _send_span(job: DownloadJob | JobRow, kind: Kind) -> DoorbellSpan:
    from jobs.lib.tracing.messages import SendSpan

    return SendSpan(job.pk, attempt=job.attempt + 1, kind=kind.name, queue=kind.queue)


def queue_doorbell(queue: str, job_id: UUID | str) -> Doorbell:
    """Return a message for a worker that a job of the queue is ready.

    The worker takes the job whose turn it is, so Celery's time limit is the longest of the queue.
    """
    return Doorbell(job_id, queue, queue_time_limit(queue))


def queue_time_limit(queue: str) -> int:
    """Return after how many seconds Celery may kill a process that runs a job of the queue."""
    kinds = (kind for kind in KINDS.values() if kind.queue == queue)
    return max((kind.time_limit.kill_after_seconds(None) for kind in kinds), default=0)
