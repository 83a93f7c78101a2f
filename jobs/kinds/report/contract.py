"""The operations of reports in the OpenAPI document."""

from __future__ import annotations

from jobs.kinds.report.kind import Report
from jobs.kinds.report.response import AcceptedReport, ReportJob
from jobs.web.openapi.decorators import cancelling, creating, fetching, json_body, listing, polling
from jobs.web.openapi.examples import jobs
from jobs.web.serializers import request_of

LAST_MONTH = {"period": "30d"}
BODY = json_body(
    request_of(Report),
    the_last_30_days=LAST_MONTH,
    a_month_as_a_table={"from": "2026-10-01", "to": "2026-10-31", "format": "csv"},
)
OF_JOBS = {"unit": "jobs", "done": 127, "total": 318}
UNKNOWN_SIZE = {"total": None, "estimatedSecondsRemaining": None}

report = creating("report", BODY, AcceptedReport, **UNKNOWN_SIZE)
reports = listing("reports", ReportJob)
report_status = polling(
    "report_status",
    ReportJob,
    *jobs(ReportJob, "processing", message="Drawing page 4 of 12", speed=210, **OF_JOBS),
    *jobs(ReportJob, "completed", **OF_JOBS | {"done": 318}),
)
report_download = fetching("report_download")
cancel_report = cancelling("cancel_report", ReportJob)
