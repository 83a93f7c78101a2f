"""Kind `bundle`: stored files as one ZIP archive."""

from __future__ import annotations

from jobs.kinds.base import Kind, Params
from jobs.kinds.bundle import load
from jobs.kinds.bundle.build import BundleParams, build
from jobs.models import DownloadJob
from jobs.models.sources import Sources
from jobs.workspace import Workspace


class Bundle(Kind):
    name = "bundle"
    label = "Zip"
    urlconf = "jobs.kinds.bundle.urls"
    downloads_post_view = "jobs.kinds.bundle.form.submit_bundle"
    content_type = "application/zip"
    suffix = ".zip"

    def load(self, job: DownloadJob) -> BundleParams:
        return load.load(job)

    def build(self, loaded: BundleParams, work: Workspace) -> None:
        build(loaded, work)

    def default_name(self, params: Params) -> str:
        count = len(load.requested_ids(params))
        return "1 file.zip" if count == 1 else f"{count} files.zip"

    def sources(self, params: Params) -> Sources:
        return load.sources_of_bundle(params)
