"""URLs of the API and the pages. No trailing slashes."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path
from drf_spectacular.views import SpectacularSwaggerSplitView

from jobs.web import converters as converters  # registers `<job:...>`
from jobs.web.api import document, downloads, operations, remote, reports, tokens, uploads
from jobs.web.authentication import SignInPage
from jobs.web.content_negotiation import page_or_api
from jobs.web.error_responses import api_not_found
from jobs.web.pages import choose, job, my_downloads, previews, settings, theme, upload
from jobs.web.pages import link as link_page
from jobs.web.pages import report as report_page

links, link = remote.Links.as_view(), remote.Link.as_view()
all_reports = reports.Reports.as_view()
send = uploads.Uploads.as_view()

docs = SpectacularSwaggerSplitView.as_view(url_name="openapi", http_method_names=["get", "head"])

urlpatterns = [
    path("", choose.choose, name="choose"),
    path("downloads", page_or_api(my_downloads.downloads, links), name="downloads"),
    path("downloads/<job:job_id>", page_or_api(job.job_page, link), name="job-page"),
    path("downloads/<job:job_id>/status", remote.LinkStatus.as_view(), name="link-status"),
    path("downloads/<job:job_id>/state", job.state, name="job-state"),
    path("downloads/<job:job_id>/row", my_downloads.row, name="job-row"),
    path("downloads/<job:job_id>/cancel", job.cancel, name="job-cancel"),
    path("downloads/<job:job_id>/retry", job.retry, name="job-retry"),
    path("downloads/<job:job_id>/files/<slug:role>", previews.file, name="made"),
    path("link", link_page.link, name="link"),
    path("upload", page_or_api(upload.upload, send, reads_body=True), name="upload"),
    path("upload/chunked", uploads.Chunked.as_view(), name="upload-chunked"),
    path("upload/chunked/<job:job_id>", uploads.ChunkedUpload.as_view(), name="chunked-upload"),
    path("reports", page_or_api(report_page.report, all_reports), name="reports"),
    path("reports/<job:job_id>", reports.Report.as_view(), name="report"),
    path("reports/<job:job_id>/status", reports.ReportStatus.as_view(), name="report-status"),
    path("reports/<job:job_id>/download", reports.ReportDownload.as_view(), name="report-download"),
    path("settings", settings.settings, name="settings"),
    path("theme", theme.theme, name="theme"),
    path("sign-in", SignInPage.as_view(), name="sign-in"),
    path("sign-out", LogoutView.as_view(), name="sign-out"),
    path("v1/download/initiate", downloads.Initiate.as_view(), name="initiate"),
    path("v1/download/start", downloads.Start.as_view(), name="start"),
    path("v1/download/check", downloads.CheckFile.as_view(), name="check"),
    path("v1/download/jobs", downloads.JobList.as_view(), name="jobs"),
    path("v1/download/status/<job:job_id>", downloads.JobStatus.as_view(), name="status"),
    path("v1/download/events", downloads.EventsOfJobs.as_view(), name="events-of-jobs"),
    path("v1/download/events/<job:job_id>", downloads.JobEvents.as_view(), name="events"),
    path("v1/download/result/<job:job_id>", downloads.ResultLink.as_view(), name="result"),
    path("v1/download/<job:job_id>", downloads.DownloadFile.as_view(), name="download"),
    path("v1/download/<job:job_id>/retry", downloads.RetryJob.as_view(), name="retry"),
    path("status/<job:job_id>", downloads.StatusAlias.as_view(), name="status-alias"),
    path("admin/retry/<job:job_id>", operations.AdminRetry.as_view(), name="admin-retry"),
    # Not a job id: the admin, which comes next, would redirect to its sign-in page.
    path("admin/retry/<path:rest>", api_not_found),
    path("queue/stats", operations.QueueStats.as_view(), name="queue-stats"),
    path("workers/stats", operations.WorkerStats.as_view(), name="worker-stats"),
    path("v1/auth/token", tokens.Obtain.as_view(), name="token"),
    path("v1/auth/token/refresh", tokens.Refresh.as_view(), name="token-refresh"),
    path("v1/auth/token/revoke", tokens.Revoke.as_view(), name="token-revoke"),
    path("openapi", document.Document.as_view(), name="openapi"),
    path("docs", docs, name="docs"),
]
