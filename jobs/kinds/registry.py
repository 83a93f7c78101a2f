"""The kinds of jobs, by name: those in the setting KINDS, each a dotted path of a Kind."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.functional import SimpleLazyObject
from django.utils.module_loading import import_string

from jobs.engine.doorbell_message import Doorbell
from jobs.kinds.base import JobParams, Kind
from jobs.models import DownloadJob, FileQuerySet, IncomingUpload, JobRow, StoredFile


def _load() -> dict[str, Kind]:
    kinds: list[Kind] = [import_string(path)() for path in settings.KINDS]
    return {kind.name: kind for kind in kinds}


# Loaded when it is first used, because kinds import modules that use it.
KINDS = cast(dict[str, Kind], SimpleLazyObject(_load))


def may_request(user: User, kind: Kind) -> bool:
    """Return True if the user may start jobs of this kind."""
    return not kind.permission or user.has_perm(kind.permission)


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
    return Doorbell(job.pk, kind.queue, job.priority, limit)
