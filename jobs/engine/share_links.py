"""Create links by which anybody can download a file, and count what is downloaded by them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import transaction

from jobs.engine import quota
from jobs.errors import StaleJob, TooManyLinks
from jobs.models import DownloadJob, LinkState, ShareLink, StoredFile

MAX_LINKS = 100  # of one file
NO_FILE = "There is no file to share: the download is not ready, or its file is gone."


def create_share_link(job: DownloadJob, **limits: Any) -> ShareLink:
    """Create a link to the file of a job. Raises StaleJob without a file, and TooManyLinks."""
    if job.artifact is None:
        raise StaleJob(NO_FILE)
    return share_file(job.artifact, job.owner, job=job, **limits)


def share_file(
    file: StoredFile,
    owner: User,
    *,
    job: DownloadJob | None,
    password: str = "",
    expires_at: datetime | None = None,
    max_downloads: int | None = None,
) -> ShareLink:
    """Create a link to a file that the owner has, and its job if one made it.

    Raises TooManyLinks.
    """
    with transaction.atomic():
        quota.lock_owners([owner.pk])  # so that two requests cannot both be the last one
        if ShareLink.objects.filter(owner=owner, file=file).count() >= MAX_LINKS:
            raise TooManyLinks(f"This file has {MAX_LINKS} links. Old ones are deleted in time.")
        link = ShareLink.objects.create(
            owner=owner,
            job=job,
            file=file,
            password=make_password(password) if password else "",
            expires_at=expires_at,
            max_downloads=max_downloads,
        )
        link.refresh_from_db(fields=["created_at"])
    return link


def first_plain_link(job: DownloadJob) -> ShareLink:
    """Return the newest link that works without limit or password, or a new one."""
    plain = (
        ShareLink.objects.of_job(job.pk)
        .usable()
        .filter(password="", max_downloads=None, expires_at=None)
    )
    found = [link for link in plain if link.state == LinkState.ACTIVE]
    return found[0] if found else create_share_link(job)
