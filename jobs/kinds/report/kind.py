"""Kind `report`: the downloads of a period, as PDF, CSV or JSON."""

from __future__ import annotations

from jobs.kinds.base import Kind, Params
from jobs.kinds.report import load
from jobs.kinds.report.build import build
from jobs.kinds.report.document import ReportParams
from jobs.models import DownloadJob
from jobs.workspace import Workspace


class Report(Kind):
    name = "report"
    label = "Report"
    urlconf = "jobs.kinds.report.urls"
    content_type = "application/pdf"
    is_numbered = True
    min_speed = 200  # jobs per second; usually thousands
    max_work = 20_000_000  # jobs

    def load(self, job: DownloadJob) -> ReportParams:
        return load.load(job)

    def build(self, loaded: ReportParams, work: Workspace) -> None:
        build(loaded, work)

    def default_name(self, params: Params) -> str:
        return f"Report.{params['format']}"
