"""Helpers for links: create a job, run its attempts, inspect the stored file."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.auth.models import User
from django.db.models.functions import Now

from jobs import storage
from jobs.engine import runner
from jobs.engine.submission import submit_job
from jobs.kinds.registry import kind_folder
from jobs.models import DownloadJob

PART = storage.SMALL_PART_BYTES


def ask(owner: User, url: str, **params: Any) -> DownloadJob:
    params = {"url": url, "threads": 4} | params
    job, _ = submit_job(owner=owner, kind="remote", params=params, name=params.get("output", ""))
    return job


def attempt(job: DownloadJob) -> DownloadJob:
    """Run one attempt in this process, even before it is due."""
    DownloadJob.objects.filter(pk=job.pk).update(available_at=Now())
    runner.run_job(job.pk, task_id="task-1", worker="worker@test")
    job.refresh_from_db()
    return job


def fetch(job: DownloadJob) -> DownloadJob:
    """Run attempts until the job is finished."""
    while not attempt(job).is_finished:
        pass
    return job


def stored_sha256(job: DownloadJob) -> str:
    """Return the SHA-256 of the stored object, after comparing it with the row."""
    digest = hashlib.sha256()
    for chunk in storage.read_object(job.artifact.key):
        digest.update(chunk)
    assert digest.hexdigest() == job.artifact.sha256
    return digest.hexdigest()


def left_behind(job: DownloadJob) -> list[str]:
    """Return the keys of the job's objects and open multipart uploads."""
    bucket = storage.bucket()
    found = bucket.client.list_objects_v2(Bucket=bucket.bucket_name, Prefix=kind_folder(job))
    keys = [item["Key"] for item in found.get("Contents", [])]
    return keys + [upload["Key"] for upload in storage.list_open_uploads(kind_folder(job))]
