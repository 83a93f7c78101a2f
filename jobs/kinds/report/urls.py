"""URLs of reports."""

from __future__ import annotations

from django.urls import path

from jobs.kinds.report import api, form
from jobs.web import converters as converters  # registers `<job:...>`
from jobs.web.content_negotiation import page_or_api

all_reports = api.Reports.as_view()

urlpatterns = [
    path("reports", page_or_api(form.report_form, all_reports), name="reports"),
    path("reports/<job:job_id>", api.OneReport.as_view(), name="report"),
    path("reports/<job:job_id>/status", api.ReportStatus.as_view(), name="report-status"),
    path("reports/<job:job_id>/download", api.ReportDownload.as_view(), name="report-download"),
]
