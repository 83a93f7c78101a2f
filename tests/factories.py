"""Factories of rows that satisfy the constraints of the database, in any status."""

from __future__ import annotations

import hashlib
import zlib
from datetime import timedelta
from itertools import count
from pathlib import PurePosixPath
from typing import Any
from uuid import uuid4

import factory
from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile
from django.utils import timezone

from jobs import storage
from jobs.models import ApiKey, DownloadJob, JobEvent, Notification, StoredFile
from jobs.models.api_key import SHOWN_CHARS, key_digest, new_key
from jobs.models.lane import make_ready
from jobs.models.notification import notification_outcome
from jobs.models.preferences import new_secret
from jobs.states import FINAL, WAITING, Actor, Event, Status

NUMBERS = count(2_000_000)  # file ids; higher than those of the sequence in any test
MADE = {
    **dict.fromkeys(["thumbnail", "medium", "large", "preview", "poster"], (".jpg", "image/jpeg")),
    "text": (".txt", "text/plain; charset=utf-8"),
    "clip": (".mp4", "video/mp4"),
}
LINK = "https://data.example.org/2026/frames.tar?signature=abc"


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user-{n}")
    password = factory.django.Password("correct horse")


def make_key(owner: User, *scopes: str, **fields: Any) -> str:
    """Create an API key with these scopes, or all but `admin`. Return the key itself."""
    key = new_key()
    ApiKey.objects.create(
        owner=owner,
        name=fields.pop("name", "Nightly export"),
        prefix=key[:SHOWN_CHARS],
        digest=key_digest(key),
        scopes=list(scopes) or ["read", "start", "upload"],
        webhook_secret=new_secret() if fields.get("webhook") else "",
        **fields,
    )
    return key


def staff_who_may(codename: str | None) -> User:
    """Create a staff user with one permission, or none."""
    user: User = UserFactory(is_staff=True)
    if codename:
        user.user_permissions.add(Permission.objects.get(codename=codename))
    return user


class StoredFileFactory(factory.django.DjangoModelFactory):
    """A row of the public catalogue, without an object in the bucket."""

    class Meta:
        model = StoredFile

    file_id = factory.Sequence(lambda n: 80_000 + n)
    name = factory.Sequence(lambda n: f"file-{n}.txt")
    key = factory.LazyAttribute(lambda file: f"catalogue/{file.file_id}/{file.name}")
    content_type = "text/plain"
    size_bytes = 5
    sha256 = hashlib.sha256(b"hello").hexdigest()
    crc32 = zlib.crc32(b"hello")


class ArtifactFactory(StoredFileFactory):
    file_id = None
    key = factory.Sequence(lambda n: f"results/{n}/1/2 files.zip")
    name = "2 files.zip"
    content_type = "application/zip"
    role = StoredFile.Role.ARTIFACT


class JobFactory(factory.django.DjangoModelFactory):
    """A bundle in any status: `JobFactory(status=Status.COMPLETED)`."""

    class Meta:
        model = DownloadJob

    owner = factory.SubFactory(UserFactory)
    kind = "bundle"
    name = "2 files.zip"
    params = factory.LazyFunction(lambda: {"file_ids": [70000, 70001]})
    total = 1_000
    status = Status.QUEUED
    attempt = factory.LazyAttribute(lambda job: 0 if job.status == Status.QUEUED else 1)
    progress = factory.LazyAttribute(lambda job: float(job.status == Status.COMPLETED))

    @factory.lazy_attribute
    def lease_until(self) -> Any:
        running = self.status == Status.PROCESSING
        return timezone.now() + timedelta(seconds=60) if running else None

    @factory.lazy_attribute
    def started_at(self) -> Any:
        return None if self.status == Status.QUEUED else timezone.now() - timedelta(seconds=5)

    @factory.lazy_attribute
    def finished_at(self) -> Any:
        return timezone.now() if self.status in FINAL else None

    @factory.lazy_attribute
    def expires_at(self) -> Any:
        return timezone.now() + timedelta(days=1) if self.status == Status.COMPLETED else None

    @factory.lazy_attribute
    def artifact(self) -> Any:
        return ArtifactFactory(owner=self.owner) if self.status == Status.COMPLETED else None


def ready_jobs(owner: User, count: int = 1, **fields: Any) -> list[DownloadJob]:
    """Create jobs that a worker may claim now."""
    jobs: list[DownloadJob] = JobFactory.create_batch(count, owner=owner, **fields)
    make_ready(job.pk for job in jobs)
    return jobs


class RemoteJobFactory(JobFactory):
    """A link to a file of unknown size."""

    kind = "remote"
    name = "frames.tar"
    params = factory.LazyFunction(lambda: {"url": LINK, "threads": 4})
    total = None

    @factory.lazy_attribute
    def artifact(self) -> Any:
        if self.status != Status.COMPLETED:
            return None
        tar = {"name": self.name, "content_type": "application/x-tar"}
        return ArtifactFactory(owner=self.owner, file_id=1_000_004, **tar)


class UploadJobFactory(JobFactory):
    """An uploaded picture; once completed, with three previews."""

    class Meta:
        skip_postgeneration_save = True

    kind = "upload"
    name = "facade-east.jpg"
    params = factory.LazyFunction(dict)
    metadata = factory.LazyAttribute(
        lambda job: {"width": 4032, "height": 3024} if job.status == Status.COMPLETED else {}
    )

    @factory.lazy_attribute
    def artifact(self) -> Any:
        if self.status != Status.COMPLETED:
            return None
        jpeg = {"name": self.name, "content_type": "image/jpeg"}
        return ArtifactFactory(owner=self.owner, file_id=next(NUMBERS), **jpeg)

    @factory.post_generation
    def made(self, create: bool, extracted: Any, **_: Any) -> None:
        """Create the previews. `made=["text", "preview"]` replaces those of a picture."""
        if self.status == Status.COMPLETED:
            usual = ["thumbnail", "medium", "large"]
            for role in usual if extracted is None else extracted:
                make_of(self, role)


class NotificationFactory(factory.django.DjangoModelFactory):
    """A webhook about a completed bundle; delivered with `sent=True`."""

    class Meta:
        model = Notification

    class Params:
        sent = factory.Trait(state="sent", sent_at=factory.LazyFunction(timezone.now))

    id = factory.LazyFunction(uuid4)
    job = factory.SubFactory(
        JobFactory, owner=factory.SelfAttribute("..owner"), status=Status.COMPLETED
    )
    channel = "webhook"
    to = "https://example.org/hook/secret"
    content = factory.LazyAttribute(lambda notification: notification_outcome(notification.job))


def new_job(**fields: Any) -> DownloadJob:
    """Create a job with its first event. Accepts values that `submit_job` rejects."""
    job = DownloadJob.objects.create(message=WAITING, **fields)
    job.refresh_from_db()
    JobEvent.objects.record(job, Event.SUBMIT, Actor.OWNER)
    return job


def make_of(job: DownloadJob, role: str) -> StoredFile:
    """Create a preview of an upload, without an object in the bucket."""
    suffix, content_type = MADE[role]
    file: StoredFile = StoredFileFactory(
        owner=job.owner,
        made_by=job,
        role=role,
        file_id=next(NUMBERS),
        name=f"{PurePosixPath(job.name).stem} {role}{suffix}",
        key=f"results/{job.pk}/1/{role}{suffix}",
        content_type=content_type,
        size_bytes=24_117,
    )
    return file


def store(file_id: int, name: str, content: bytes, **fields: Any) -> StoredFile:
    """Create a file of the catalogue, with an object in the bucket."""
    file: StoredFile = StoredFileFactory(
        file_id=file_id,
        name=name,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        crc32=zlib.crc32(content),
        **fields,
    )
    storage.bucket().save(file.key, ContentFile(content))
    return file
