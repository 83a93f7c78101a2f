"""Reports on jobs. Browsers get a page at the first path."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponseRedirect
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.kinds.report.kind import Report
from jobs.kinds.report.response import AcceptedReport, ReportJob
from jobs.models import DownloadJob
from jobs.web.api.downloads import cancel_download, poll_download, submit_download
from jobs.web.api.lists import OwnJobsOfKind
from jobs.web.openapi.decorators import (
    FILE_PROBLEMS,
    FILE_REDIRECT,
    describes,
    describes_job_list,
    describes_poll,
)
from jobs.web.own_job import own_job
from jobs.web.poll_responses import accepted_response
from jobs.web.result_files import redirect_to_result
from jobs.web.serializers import request_of


class Reports(OwnJobsOfKind):
    """List your reports, newest first."""

    serializer_class = ReportJob
    rate = Report.rate
    sample = {"period": "30d"}
    kind = Report.name

    @describes_job_list("reports", ReportJob)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @describes("report", {202: AcceptedReport}, request=request_of(Report))
    def post(self, request: Request) -> Response:
        """Create a report on your jobs in a period."""
        job, is_new = submit_download(request, Report)
        return accepted_response(job, AcceptedReport(job).data, is_new=is_new)


class OneReport(APIView):
    @describes("cancel_report", {200: ReportJob}, problems=["conflict"])
    def delete(self, request: Request, job_id: UUID) -> Response:
        """Cancel a report. Idempotent."""
        return cancel_download(request, own_report(request, job_id).pk, ReportJob)


class ReportStatus(APIView):
    @describes_poll("report_status", ReportJob)
    def get(self, request: Request, job_id: UUID) -> Response:
        """Poll a report."""
        return poll_download(request, own_report(request, job_id).pk, ReportJob)


class ReportDownload(APIView):
    bodiless_methods = ("GET", "HEAD")

    @describes("report_download", FILE_REDIRECT, problems=FILE_PROBLEMS)
    def get(self, request: Request, job_id: UUID) -> HttpResponseRedirect:
        """Fetch the report: a redirect to the file store."""
        return redirect_to_result(own_report(request, job_id), request.method or "GET")

    head = get


def own_report(request: Request, job_id: UUID) -> DownloadJob:
    """Return the user's report, or raise Http404 or PermissionDenied."""
    job = own_job(request, job_id)
    if job.kind != Report.name:
        raise Http404("This report does not exist.")
    return job
