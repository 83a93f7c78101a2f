"""Kind `report`: the downloads of a period, as PDF, CSV or JSON."""

from __future__ import annotations

from jobs.kinds.base import JobParams, Kind, StatusAddress
from jobs.kinds.page_parts import Card, Contents
from jobs.kinds.report import load, page, words
from jobs.kinds.report.build import build
from jobs.kinds.report.document import ReportParams
from jobs.kinds.report.older_names import report_body
from jobs.kinds.report.params import ReportFields
from jobs.models import DownloadJob
from jobs.workspace import Workspace

INTRODUCTION = """\
`POST /reports` makes a PDF, CSV or JSON about your jobs in a period.
"""


class Report(Kind):
    name = "report"
    Params = ReportFields
    label = "Report"
    urlconf = "jobs.kinds.report.urls"
    api_url_name = "reports"
    form_url_name = "reports"
    next_steps = words.NEXT_STEPS
    card = Card("report", "Report", "Your activity as a PDF", "Create a report")
    content_type = "application/pdf"
    is_numbered = True
    min_speed = 200  # jobs per second; usually thousands
    max_work = 20_000_000  # jobs
    status_addresses = (StatusAddress("/reports/{}/status", report_body, is_exclusive=True),)
    introduction = INTRODUCTION
    example = {"period": "30d", "format": "pdf"}

    def load(self, job: DownloadJob) -> ReportParams:
        return load.load(job)

    def build(self, loaded: ReportParams, work: Workspace) -> None:
        build(loaded, work)

    def default_name(self, params: JobParams) -> str:
        return f"Report.{params['format']}"

    def describe(self, job: DownloadJob) -> str:
        return words.describe(job.params)

    def contents(self, job: DownloadJob) -> Contents:
        return page.contents(job.params)
