"""The kinds of jobs, by name: those in the setting KINDS, each a dotted path of a Kind."""

from __future__ import annotations

from contextlib import suppress
from typing import cast

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
    """Return the message for a worker, with the time limit after which Celery kills it."""
    kind = KINDS[job.kind]
    limit = kind.time_limit.kill_after_seconds(job.total)
    span = _send_span(job, kind) if settings.TRACING else None
    return Doorbell(job.pk, kind.queue, job.priority, limit, span)


def _send_span(job: DownloadJob | JobRow, kind: Kind) -> DoorbellSpan:
    from jobs.lib.tracing.messages import SendSpan

    return SendSpan(job.pk, attempt=job.attempt + 1, kind=kind.name, queue=kind.queue)
