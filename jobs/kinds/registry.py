"""The kinds of jobs: how each is named, loaded and built.

A new kind is an entry here, a builder, a params serializer and a URL.
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

DEFAULT_PERIOD = "30d"  # of a report
MAX_DAYS = 366
ROWS_READ = 500  # of a report, from the database at once
REPORT_MIN_SPEED = 200  # jobs per second; usually thousands
REPORT_MAX_JOBS = 20_000_000  # for its time limit
FEW_FILES = 100  # of a bundle; more are read with a cursor
SHOWN_IDS = 20  # in an error message; the rest is counted

Params = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """How one kind of job is named, loaded and built."""

    content_type: str  # of the artifact, unless the builder sets another
    build: Callable[[Any, Workspace], None]
    load: Callable[[DownloadJob], Any]  # returns the params of `build`; raises SourceMissing
    default_name: Callable[[Params], str]
    sources: Callable[[Params], Sources] | None = None  # stored files that it reads
    is_stored: bool = False  # its source becomes its artifact, without more storage
    suffix: str = ""  # of its artifact's name
    is_numbered: bool = False  # its artifact gets a file number, so a bundle can include it
    queue: str = settings.QUEUE
    # Time limit of an attempt: these seconds, plus one for each `min_speed` units of work.
    time_limit_seconds: int = settings.JOB_TIME_LIMIT_SECONDS
    min_speed: int = settings.JOB_MIN_SPEED
    max_work: int = MAX_OBJECT_BYTES  # in units, if the total is unknown
    trusts_total: bool = True  # if not, only completed work extends the time limit

    @property
    def time_limit(self) -> TimeLimit:
        longest = self.time_limit_seconds + self.max_work // self.min_speed
        return TimeLimit(self.time_limit_seconds, self.min_speed, longest, self.trusts_total)


def _bundle_sources(params: Params) -> Sources:
    return Sources(params["file_ids"], params.get("job_ids", []))


def _load_bundle(job: DownloadJob) -> bundle.BundleParams:
    """Return the sources in the requested order. Another owner's file is missing, too."""
    found: dict[object, Source] = {}
    ids = requested_ids(job.params)
    for file in _bundle_files(job.params, job.owner_id):
        found[file.file_id] = _source(file)
        if file.role == StoredFile.Role.ARTIFACT:  # not its previews
            found[str(file.made_by_id)] = found[file.file_id]
    if missing := [each for each in ids if each not in found]:
        raise SourceMissing(_missing_sentence(missing))
    sources = tuple(dict.fromkeys(found[each] for each in ids))
    if sum(source.size_bytes for source in sources) > MAX_OBJECT_BYTES:
        raise ArchiveTooLarge("The files together exceed 5 TiB, the maximum size of a zip.")
    return bundle.BundleParams(sources, is_measured=job.total is not None)


def _bundle_files(params: Params, owner_id: int) -> Iterable[StoredFile]:
    if len(params["file_ids"]) > FEW_FILES or params.get("job_ids"):
        return StoredFile.objects.read_by(_bundle_sources(params), owner_id).iterator()
    return StoredFile.objects.few_visible_to(owner_id, params["file_ids"])


def requested_ids(params: Params) -> list[int | str]:
    """Return the contents of a bundle: numbers of files, then ids of jobs with their results."""
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
    count = len(requested_ids(params))
    return "1 file.zip" if count == 1 else f"{count} files.zip"


def _load_remote(job: DownloadJob) -> remote.RemoteParams:
    params = job.params
    return remote.RemoteParams(
        url=params["url"],
        threads=params["threads"],
        name=job.name if "output" in params else "",
        sha256=params.get("sha256", ""),
        is_sequential=job.error_code == RemoteChanged.code,
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
    params, now = job.params, timezone.now()
    first, last = report_days(params, now.astimezone(UTC).date())
    # The owner may have lost the permission since the request.
    owner = None if params["everybody"] and can_view_all_jobs(job.owner) else job.owner
    # Without the report itself, which is still running.
    jobs = DownloadJob.objects.of_days(first, last, owner).exclude(pk=job.pk)
    return ReportParams(
        format=params["format"],
        first_day=first,
        last_day=last,
        owner=owner.get_username() if owner else "",
        made_at=now,
        count=jobs.count(),
        rows=partial(_rows, jobs),
    )


def report_days(params: Params, today: date) -> tuple[date, date]:
    """Return the first and the last day of a report, both included."""
    if "from" in params:
        return date.fromisoformat(params["from"]), date.fromisoformat(params["to"])
    return today - timedelta(days=int(params["period"].removesuffix("d")) - 1), today


def _rows(jobs: JobQuerySet) -> Iterator[ReportRow]:
    jobs = jobs.select_related("owner", "artifact").defer("params", "checkpoint", "metadata")
    for job in jobs.iterator(chunk_size=ROWS_READ):
        had_file = job.unit == "bytes" and job.status == Status.EXPIRED
        yield ReportRow(
            job_id=str(job.pk),
            name=job.name,
            owner=job.owner.get_username(),
            kind=job.kind,
            status=job.status,
            error_code=job.error_code if job.status == Status.FAILED else "",
            size_bytes=job.artifact.size_bytes if job.artifact else job.total if had_file else None,
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
    """Return the stored files that a job reads; empty for a kind that reads none."""
    sources = KINDS[kind].sources
    if not sources:
        return StoredFile.objects.none()
    return StoredFile.objects.read_by(sources(params), owner.pk)


def artifact_name(kind: Kind, requested: str, params: Params) -> str:
    """Return a safe name with the kind's suffix: the requested one, or a default."""
    name = safe_name(requested) if requested else kind.default_name(params)
    return name if name.lower().endswith(kind.suffix) else name + kind.suffix


def doorbell(job: DownloadJob | JobRow) -> Doorbell:
    """Return the message for a worker, with the time limit after which Celery kills it."""
    kind = KINDS[job.kind]
    limit = kind.time_limit.kill_after_seconds(job.total)
    return Doorbell(job.pk, kind.queue, job.priority, limit)
