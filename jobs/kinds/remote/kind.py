"""Kind `remote`: the file of a link, fetched by parallel byte ranges."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings

from jobs.errors import RemoteChanged
from jobs.kinds.base import JobParams, Kind, StatusAddress
from jobs.kinds.page_parts import Card, Contents, Remedy
from jobs.kinds.remote import page
from jobs.kinds.remote.build import RemoteParams, build_remote_file, link_file_name
from jobs.kinds.remote.older_names import older_remote_names
from jobs.kinds.remote.params import RemoteFields
from jobs.kinds.remote.words import NEXT_STEPS
from jobs.models import DownloadJob
from jobs.workspace import Workspace

INTRODUCTION = """\
`POST /downloads` fetches the file at a URL. `total` and `estimatedSecondsRemaining` are null until
its size is known. The completed job has a `fileId`, which a bundle accepts.
"""


class Remote(Kind):
    name = "remote"
    Params = RemoteFields
    label = "Link"
    urlconf = "jobs.kinds.remote.urls"
    api_url_name = "downloads"
    form_url_name = "link"
    finished = "fetched"
    failed = "could not be fetched"
    next_steps = NEXT_STEPS
    card = Card("link", "From a link", "We fetch and store it", "Paste a link")
    is_numbered = True
    name_field = "output"
    queue = settings.REMOTE_QUEUE
    time_limit_seconds = settings.REMOTE_TIME_LIMIT_SECONDS
    min_speed = settings.REMOTE_AVERAGE_SPEED
    max_work = settings.REMOTE_MAX_BYTES
    trusts_total = False
    has_threads = True
    status_addresses = (StatusAddress("/downloads/{}/status", older_remote_names),)
    introduction = INTRODUCTION
    example = {"url": "https://data.example/2026/measurements.csv"}

    def load(self, job: DownloadJob) -> RemoteParams:
        params = job.params
        return RemoteParams(
            url=params["url"],
            threads=params["threads"],
            name=job.name if "output" in params else "",
            sha256=params.get("sha256", ""),
            is_sequential=job.error_code == RemoteChanged.code,
        )

    def build(self, loaded: RemoteParams, work: Workspace) -> None:
        build_remote_file(loaded, work)

    def default_name(self, params: JobParams) -> str:
        return link_file_name(params["url"])

    def concurrency_key(self, params: JobParams) -> str:
        return urlsplit(params["url"]).hostname or ""

    def describe(self, job: DownloadJob) -> str:
        return f"a link to {urlsplit(job.params['url']).hostname}"

    def progress_facts(self, job: DownloadJob) -> dict[str, str]:
        return {"Connections": str(job.threads or "None yet")}

    def contents(self, job: DownloadJob) -> Contents:
        return page.remote_page_contents(job)

    def remedy(self, job: DownloadJob) -> Remedy | None:
        return page.remote_page_remedy(job)
