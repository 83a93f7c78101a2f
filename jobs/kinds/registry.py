"""The kinds of slow work: what each reads, and who builds it.

A new kind is one entry here, one builder, one params serializer and one URL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from jobs import scanner as clamd
from jobs.engine.queue import Doorbell
from jobs.engine.time_limit import TimeLimit
from jobs.errors import ArchiveTooLarge, Infected, RemoteChanged, SourceMissing
from jobs.kinds.bundle import build as bundle
from jobs.kinds.remote import build as remote
from jobs.kinds.report import build as report
from jobs.kinds.report.document import ReportParams, ReportRow
from jobs.kinds.upload import build as upload
from jobs.lib.names import safe_name
from jobs.models import DownloadJob, FileQuerySet, JobRow, StoredFile
from jobs.models.job_queryset import JobQuerySet
from jobs.models.permissions import can_view_all_jobs
from jobs.models.sources import Sources
from jobs.states import Status
from jobs.storage import MAX_OBJECT_BYTES
from jobs.workspace import Source, Workspace

USUAL_PERIOD = "30d"  # of a report
MAX_DAYS = 366
ROWS_READ = 500  # of a report, from the database at once
REPORT_MIN_SPEED = 200  # jobs a second, read and drawn; usual are thousands
REPORT_MAX_JOBS = 20_000_000  # that it is given time for
FEW_FILES = 100  # of a bundle; more are not held in memory all at once
SHOWN_IDS = 20  # in a sentence; the rest is counted

Params = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """How one kind of job is named, loaded and built."""

    content_type: str  # of the artifact, as long as the builder tells no other
    build: Callable[[Any, Workspace], None]
    load: Callable[[DownloadJob], Any]  # what `build` takes; raises SourceMissing
    default_name: Callable[[Params], str]
    sources: Callable[[Params], Sources] | None = None  # stored files that it reads
    is_stored: bool = False  # what it reads becomes its artifact, and takes no more room
    suffix: str = ""  # that its artifact's name always has
    is_numbered: bool = False  # so that a bundle may take its artifact
    queue: str = settings.QUEUE
    # An attempt gets this long, and a second more for each `min_speed` units of its work.
    time_limit_seconds: int = settings.JOB_TIME_LIMIT_SECONDS
    min_speed: int = settings.JOB_MIN_SPEED
    max_work: int = MAX_OBJECT_BYTES  # of a job whose total nobody knows, in its units
    trusts_total: bool = True  # else only what was done gets more time

    @property
    def time_limit(self) -> TimeLimit:
        longest = self.time_limit_seconds + self.max_work // self.min_speed
        return TimeLimit(self.time_limit_seconds, self.min_speed, longest, self.trusts_total)


def _bundle_sources(params: Params) -> Sources:
    return Sources(params["file_ids"], params.get("job_ids", []))


def _load_bundle(job: DownloadJob) -> bundle.BundleParams:
    """The sources in the order asked for. Somebody else's file reads like one that is not there."""
    found: dict[object, Source] = {}
    wanted = wanted_by(job.params)
    for file in _bundle_files(job.params, job.owner_id):
        found[file.file_id] = _source(file)
        if file.role == StoredFile.Role.ARTIFACT:  # a job makes thumbnails, too
            found[str(file.made_by_id)] = found[file.file_id]
    if missing := [each for each in wanted if each not in found]:
        raise SourceMissing(_missing_sentence(missing))
    sources = tuple(dict.fromkeys(found[each] for each in wanted))
    if sum(source.size_bytes for source in sources) > MAX_OBJECT_BYTES:
        raise ArchiveTooLarge("The files together exceed 5 TiB, the maximum size of a zip.")
    return bundle.BundleParams(sources, is_measured=job.total is not None)


def _bundle_files(params: Params, owner_id: int) -> Iterable[StoredFile]:
    if len(params["file_ids"]) > FEW_FILES or params.get("job_ids"):
        return StoredFile.objects.read_by(_bundle_sources(params), owner_id).iterator()
    return StoredFile.objects.few_visible_to(owner_id, params["file_ids"])


def wanted_by(params: Params) -> list[int | str]:
    """What a bundle shall hold: numbers of files, then ids of jobs whose results go in as well."""
    return [*params["file_ids"], *params.get("job_ids", [])]


def _source(file: StoredFile) -> Source:
    return Source(
        label=f"File {file.file_id}" if file.file_id else file.name,
        key=file.key,
        name=file.name,
        size_bytes=file.size_bytes,
        crc32=file.crc32,
        made_at=file.created_at,
    )


def _missing_sentence(missing: list[int | str]) -> str:
    """Ids of jobs are text, numbers of files are none."""
    if len(missing) == 1:
        what = "The result of download" if isinstance(missing[0], str) else "File"
        return f"{what} {missing[0]} could not be found."
    shown = ", ".join(map(str, missing[:SHOWN_IDS]))
    more = f" and {len(missing) - SHOWN_IDS} more" if len(missing) > SHOWN_IDS else ""
    return f"These files could not be found: {shown}{more}."


def _bundle_name(params: Params) -> str:
    count = len(wanted_by(params))
    return "1 file.zip" if count == 1 else f"{count} files.zip"


def _load_remote(job: DownloadJob) -> remote.RemoteParams:
    asked = job.params
    return remote.RemoteParams(
        url=asked["url"],
        threads=asked["threads"],
        name=job.name if "output" in asked else "",
        sha256=asked.get("sha256", ""),
        in_one_go=job.error_code == RemoteChanged.code,
    )


def _upload_sources(params: Params) -> Sources:
    return Sources(received_key=params["key"])


def _load_upload(job: DownloadJob) -> upload.UploadParams:
    in_quarantine = job.files.filter(role=StoredFile.Role.QUARANTINED)
    if not clamd.is_on() and in_quarantine.exists():
        raise Infected("A virus was found in the file, and virus scanning is now off.")
    return upload.UploadParams(
        name=job.name,
        size_bytes=job.total or 0,
        sha256=job.params.get("sha256", ""),
        types=tuple(settings.UPLOAD_TYPES),
        preview_max_bytes=settings.PREVIEW_MAX_BYTES,
        scanner=settings.CLAMD if clamd.is_on() else "",
    )


def _load_report(job: DownloadJob) -> ReportParams:
    asked, now = job.params, timezone.now()
    first, last = days_of(asked, now.astimezone(UTC).date())
    # It may be made long after it was asked for, by somebody who has lost the permission since.
    owner = None if asked["everybody"] and can_view_all_jobs(job.owner) else job.owner
    # Not itself: it is never seen to end.
    jobs = DownloadJob.objects.of_days(first, last, owner).exclude(pk=job.pk)
    return ReportParams(
        format=asked["format"],
        first_day=first,
        last_day=last,
        owner=owner.get_username() if owner else "",
        made_at=now,
        count=jobs.count(),
        rows=partial(_rows, jobs),
    )


def days_of(asked: Params, today: date) -> tuple[date, date]:
    """The first and the last day, both included, that a report asked for is on."""
    if "from" in asked:
        return date.fromisoformat(asked["from"]), date.fromisoformat(asked["to"])
    return today - timedelta(days=int(asked["period"].removesuffix("d")) - 1), today


def _rows(jobs: JobQuerySet) -> Iterator[ReportRow]:
    jobs = jobs.select_related("owner", "artifact").defer("params", "checkpoint", "metadata")
    for job in jobs.iterator(chunk_size=ROWS_READ):
        was_made = job.unit == "bytes" and job.status == Status.EXPIRED
        yield ReportRow(
            job_id=str(job.pk),
            name=job.name,
            owner=job.owner.get_username(),
            kind=job.kind,
            status=job.status,
            error_code=job.error_code if job.status == Status.FAILED else "",
            size_bytes=job.artifact.size_bytes if job.artifact else job.total if was_made else None,
            created_at=job.created_at,
            finished_at=job.finished_at,
            waited_seconds=_seconds(job.run_at or job.created_at, job.started_at),
            ran_seconds=_seconds(job.started_at, job.finished_at),
        )


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return max((end - start).total_seconds(), 0) if start and end else None


KINDS: dict[str, Kind] = {
    "bundle": Kind(
        content_type="application/zip",
        build=bundle.build,
        load=_load_bundle,
        default_name=_bundle_name,
        sources=_bundle_sources,
        suffix=".zip",
    ),
    "remote": Kind(
        content_type="application/octet-stream",
        build=remote.build,
        load=_load_remote,
        default_name=lambda params: remote.name_of(params["url"]),
        is_numbered=True,
        queue=settings.REMOTE_QUEUE,
        time_limit_seconds=settings.REMOTE_TIME_LIMIT_SECONDS,
        min_speed=settings.REMOTE_AVERAGE_SPEED,
        max_work=settings.REMOTE_MAX_BYTES,
        trusts_total=False,
    ),
    "upload": Kind(
        content_type="application/octet-stream",
        build=upload.build,
        load=_load_upload,
        default_name=lambda params: PurePosixPath(params["key"]).name,
        sources=_upload_sources,
        is_stored=True,
        is_numbered=True,
        queue=settings.UPLOAD_QUEUE,
        time_limit_seconds=settings.UPLOAD_TIME_LIMIT_SECONDS,
    ),
    "report": Kind(
        content_type="application/pdf",
        build=report.build,
        load=_load_report,
        default_name=lambda params: f"Report.{params['format']}",
        is_numbered=True,
        min_speed=REPORT_MIN_SPEED,
        max_work=REPORT_MAX_JOBS,
    ),
}


def sources_of(kind: str, params: Params, owner: User) -> FileQuerySet:
    """The stored files that a job reads; none for a kind that reads something else."""
    name = KINDS[kind].sources
    return StoredFile.objects.read_by(name(params), owner.pk) if name else StoredFile.objects.none()


def artifact_name(kind: Kind, asked: str, params: Params) -> str:
    """A safe name with the kind's suffix, from what the caller asked for or from the params."""
    name = safe_name(asked) if asked else kind.default_name(params)
    return name if name.lower().endswith(kind.suffix) else name + kind.suffix


def doorbell(job: DownloadJob | JobRow) -> Doorbell:
    """What a worker is told about the job, and when Celery should kill its process."""
    kind = KINDS[job.kind]
    limit = kind.time_limit.kill_after_seconds(job.total)
    return Doorbell(job.pk, kind.queue, job.priority, limit)
