"""Kind `bundle`: stored files as one ZIP archive."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User

from jobs.kinds import Bundle, Source
from jobs.kinds.base import Body, JobParams
from jobs.kinds.bundle import load, page, plain_request, sources
from jobs.kinds.bundle.params import BundleFields
from jobs.kinds.bundle.words import NEXT_STEPS
from jobs.kinds.page_parts import Card, Contents, Remedy
from jobs.models import DownloadJob
from jobs.models.sources import Sources
from jobs.web.serializers.fields import MAX_JOB_IDS
from jobs.web.wording.number_text import files_text

INTRODUCTION = """\
`POST /v1/download/initiate` answers 202 with a job. Poll its `Location`: wait `Retry-After` seconds
between polls and send the last `ETag` as `If-None-Match`. When the job is `completed`,
`GET /v1/download/{job_id}` redirects to the file. Send an `Idempotency-Key` with each request that
starts a job; if you get no response, send the same request again.
"""


class FilesBundle(Bundle):
    name = "bundle"
    Params = BundleFields
    label = "Zip"
    urlconf = "jobs.kinds.bundle.urls"
    api_url_name = "initiate"
    form_url_name = "choose"
    downloads_post_view = "jobs.kinds.bundle.form.submit_bundle_form"
    max_sources = settings.MAX_FILES_PER_BUNDLE + MAX_JOB_IDS
    next_steps = NEXT_STEPS
    card = Card("files", "Stored files", "Several files as one zip", "Choose stored files")
    has_plain_requests = True
    introduction = INTRODUCTION
    example = {"file_ids": [70000, 70001, 70002]}

    def sources(self, params: JobParams, owner: User) -> Iterable[Source]:
        return load.load_bundle_sources(params, owner.pk)

    def default_name(self, params: JobParams) -> str:
        count = len(sources.bundle_source_ids(params))
        return "1 file.zip" if count == 1 else f"{count} files.zip"

    def stored_files(self, params: JobParams) -> Sources:
        return sources.bundle_sources(params)

    def describe(self, job: DownloadJob) -> str:
        return f"{files_text(len(sources.bundle_source_ids(job.params)))} as one zip"

    def contents(self, job: DownloadJob) -> Contents:
        return page.bundle_page_contents(job)

    def remedy(self, job: DownloadJob) -> Remedy | None:
        return page.bundle_page_remedy(job)

    def curl_arguments(self, job: DownloadJob) -> str:
        return page.bundle_page_curl(job)

    def depends_on(self, params: JobParams) -> list[UUID]:
        return [UUID(job_id) for job_id in params.get("job_ids", [])]

    def plain_request(self, data: Any) -> tuple[JobParams, str] | None:
        return plain_request.plain_bundle_request(data)

    def accepted_members(self, params: JobParams) -> Body:
        return {"totalFileIds": len(sources.bundle_source_ids(params))}
