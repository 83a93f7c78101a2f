"""The operations of reports in the OpenAPI document."""

from __future__ import annotations

from jobs.kinds.report.kind import Report
from jobs.kinds.report.response import AcceptedReport, ReportJob
from jobs.web.openapi.decorators import cancelling, creating, fetching, json_body, listing, polling
from jobs.web.serializers import request_of

LAST_MONTH = {"period": "30d"}
BODY = json_body(request_of(Report), example=LAST_MONTH)

report = creating("report", BODY, AcceptedReport)
reports = listing("reports", ReportJob)
report_status = polling("report_status", ReportJob)
report_download = fetching("report_download")
cancel_report = cancelling("cancel_report", ReportJob)
