"""Kind `upload`: an uploaded file, scanned for viruses, with previews."""

from __future__ import annotations

from pathlib import PurePosixPath

from django.conf import settings

from jobs.errors import Infected
from jobs.kinds.base import JobParams, Kind, StatusAddress
from jobs.kinds.page_parts import Card, Contents, Remedy
from jobs.kinds.upload import page, words
from jobs.kinds.upload.build import UploadParams, build_upload
from jobs.kinds.upload.older_names import older_upload_names
from jobs.lib import scanner as clamd
from jobs.models import DownloadJob, StoredFile
from jobs.models.sources import Sources
from jobs.workspace import Workspace

INTRODUCTION = """\
`POST /upload` uploads a file in a form, `POST /upload/chunked` a larger one in chunks, in any
order; `GET /upload/chunked/{job_id}` lists the received ones, to resume after an interruption. The
file is available after the virus scan; `processedFiles` has its previews. An upload fails if the
file has a virus or cannot be scanned, if its type is not allowed, or if it arrives incomplete or
changed. A file that is, for example, damaged or encrypted completes without previews:
`metadata.skipped` is a sentence with the reason, and `metadata.skippedCode` one of the codes below.
"""


class Upload(Kind):
    name = "upload"
    label = "Upload"
    urlconf = "jobs.kinds.upload.urls"
    checks = "jobs.kinds.upload.checks"
    api_url_name = "upload"
    accepts_json = False
    form_url_name = "upload"
    form_is_private = True
    rate = "upload"
    created = "Uploaded"
    finished = "checked"
    failed = "was not accepted"
    after_expiry = "You can upload it again."
    can_recreate = False
    next_steps = words.NEXT_STEPS
    is_stored = True
    is_numbered = True
    folder = "processed"
    roles = words.ROLES
    files_title = "Previews"
    no_files = "There are no previews of this file. You can download the file itself."
    queue = settings.UPLOAD_QUEUE
    time_limit_seconds = settings.UPLOAD_TIME_LIMIT_SECONDS
    status_addresses = (StatusAddress("/status/{}", older_upload_names),)
    introduction = INTRODUCTION
    example = {"key": "raw/harbour.jpg"}

    @property
    def card(self) -> Card:
        subtitle = "Checked, with previews" if clamd.is_scanner_on() else "With previews"
        return Card("upload", "Upload", subtitle, "Upload files")

    def load(self, job: DownloadJob) -> UploadParams:
        in_quarantine = job.files.filter(role=StoredFile.Role.QUARANTINED)
        if not clamd.is_scanner_on() and in_quarantine.exists():
            raise Infected("A virus was found in the file, and virus scanning is now off.")
        return UploadParams(
            name=job.name,
            size_bytes=job.total or 0,
            sha256=job.params.get("sha256", ""),
            types=tuple(settings.UPLOAD_TYPES),
            preview_max_bytes=settings.PREVIEW_MAX_BYTES,
            scanner=settings.CLAMD if clamd.is_scanner_on() else "",
        )

    def build(self, loaded: UploadParams, work: Workspace) -> None:
        build_upload(loaded, work)

    def default_name(self, params: JobParams) -> str:
        return PurePosixPath(params["key"]).name

    def stored_files(self, params: JobParams) -> Sources:
        return Sources(received_key=params["key"])

    def describe(self, job: DownloadJob) -> str:
        return ""

    def file_facts(self, job: DownloadJob) -> dict[str, str]:
        return words.upload_facts_in_words(job)

    def notes(self, job: DownloadJob) -> str:
        return words.missing_previews_in_words(job)

    def contents(self, job: DownloadJob) -> Contents:
        return page.upload_page_contents(job)

    def remedy(self, job: DownloadJob) -> Remedy | None:
        return page.upload_page_remedy(job)

    def curl_arguments(self, job: DownloadJob) -> str:
        return ""  # nobody knows where the reader's file is

    def picture_shape(self, job: DownloadJob, role: str) -> tuple[int, int] | None:
        return page.upload_page_picture_shape(job, role)
