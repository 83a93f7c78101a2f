"""Kind `report`: the downloads of a period, as PDF, CSV or JSON."""

from __future__ import annotations

from jobs.kinds.base import JobParams, Kind, StatusAddress
from jobs.kinds.page_parts import Card, Contents
from jobs.kinds.report import load, page, words
from jobs.kinds.report.build import build_report
from jobs.kinds.report.document import ReportInput
from jobs.kinds.report.older_names import older_report_names
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
    status_addresses = (StatusAddress("/reports/{}/status", older_report_names, is_exclusive=True),)
    introduction = INTRODUCTION
    example = {"period": "30d", "format": "pdf"}

    def load(self, job: DownloadJob) -> ReportInput:
        return load.load_report(job)

    def build(self, loaded: ReportInput, work: Workspace) -> None:
        build_report(loaded, work)

    def default_name(self, params: JobParams) -> str:
        return f"Report.{params['format']}"

    def describe(self, job: DownloadJob) -> str:
        return words.report_in_words(job.params)

    def contents(self, job: DownloadJob) -> Contents:
        return page.report_page_contents(job.params)
