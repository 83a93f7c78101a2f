"""How the admin shows the fields of a job: in its list, and on its page."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django_celery_results.models import TaskResult

from jobs.lib.file_size import file_size_text
from jobs.lib.tracing.trace_ids import trace_id_text, trace_url
from jobs.models import DownloadJob
from jobs.operations.admin.cells import exact_time, short_time, state_cell
from jobs.operations.overview.links import job_link, jobs_link
from jobs.operations.overview.texts import NONE, seconds_text
from jobs.states import Status
from jobs.web import wording

LINKED = 20  # jobs or files in one field
STALLED = "stalled"
BREAK = SafeString("<br>")


def job_state(job: DownloadJob) -> tuple[str, str]:
    """Return a CSS class and what the job does: 'Processing, 61%' or 'Queued, in 5 min'."""
    now, label = timezone.now(), Status(job.status).label
    if job.status == Status.PROCESSING:
        if job.lease_until and job.lease_until < now:
            return STALLED, f"Stalled, {job.progress:.0%}"
        return job.status, f"{label}, {job.progress:.0%}"
    if job.status == Status.QUEUED and job.held:
        return "blocked", f"{label}, blocked"
    if job.status == Status.QUEUED and job.available_at > now:
        left = seconds_text((job.available_at - now).total_seconds())
        return "retry" if job.error_code else "scheduled", f"{label}, in {left}"
    return job.status, label


class JobColumns:
    """Mixin with the computed fields of jobs."""

    unlisted = ("params", "metadata")  # large

    @admin.display(description="status")
    def state(self, job: DownloadJob) -> str:
        name, text = job_state(job)
        return state_cell(name, text)

    @admin.display(description="created", ordering="created_at")
    def created(self, job: DownloadJob) -> str:
        return short_time(job.created_at)

    @admin.display(description="created")
    def created_exactly(self, job: DownloadJob) -> str:
        return exact_time(job.created_at)

    @admin.display(description="run at")
    def scheduled(self, job: DownloadJob) -> str:
        return exact_time(job.run_at)

    @admin.display(description="available")
    def available(self, job: DownloadJob) -> str:
        return exact_time(job.available_at)

    @admin.display(description="published")
    def published(self, job: DownloadJob) -> str:
        return exact_time(job.published_at)

    @admin.display(description="started")
    def started(self, job: DownloadJob) -> str:
        return exact_time(job.started_at)

    @admin.display(description="updated")
    def updated(self, job: DownloadJob) -> str:
        return exact_time(job.updated_at)

    @admin.display(description="finished")
    def finished(self, job: DownloadJob) -> str:
        return exact_time(job.finished_at)

    @admin.display(description="expires")
    def expires(self, job: DownloadJob) -> str:
        return exact_time(job.expires_at)

    @admin.display(description="progress")
    def share(self, job: DownloadJob) -> str:
        return f"{job.progress:.0%}"

    @admin.display(description="size")
    def size(self, job: DownloadJob) -> str:
        return "-" if job.total is None else wording.amount_text(job.total, unit=job.unit)

    @admin.display(description="owner")
    def owner_jobs(self, job: DownloadJob) -> str:
        """Return the owner, with a link to all of the owner's jobs."""
        url = jobs_link(owner=job.owner.get_username())
        return format_html('<a href="{}">{}</a>', url, job.owner)

    @admin.display(description="last heartbeat")
    def heartbeat(self, job: DownloadJob) -> str:
        if job.status != Status.PROCESSING:
            return NONE
        age = seconds_text((timezone.now() - job.updated_at).total_seconds())
        return f"{age} ago; the lease ends at {timezone.localtime(job.lease_until):%H:%M:%S}"

    @admin.display(description="webhook")
    def webhook_host(self, job: DownloadJob) -> str:
        """Return the host alone: the rest of the URL may be a secret."""
        return urlsplit(job.webhook).hostname or NONE if job.webhook else NONE

    @admin.display(description="trace")
    def trace(self, job: DownloadJob) -> str:
        """Return a link to the trace of the last attempt, or of the one to come."""
        attempt = max(job.attempt, 1)
        url = trace_url(settings.TRACE_URL, job.pk, attempt)
        return format_html('<a href="{}">{}</a>', url, trace_id_text(job.pk, attempt))

    @admin.display(description="after")
    def dependencies(self, job: DownloadJob) -> str:
        return _job_links(job.after.order_by("created_at")[:LINKED])

    @admin.display(description="jobs after it")
    def dependent_jobs(self, job: DownloadJob) -> str:
        return _job_links(job.dependents.order_by("created_at")[:LINKED])

    @admin.display(description="files")
    def stored_files(self, job: DownloadJob) -> str:
        """Return the artifact and what was made beside it, with links to their rows."""
        files = job.files.order_by("pk")[:LINKED]
        lines = [
            (
                reverse("admin:jobs_storedfile_change", args=[file.pk]),
                file.name, file.role, file_size_text(file.size_bytes), file.key,
            )
            for file in files
        ]  # fmt: skip
        line = '<a href="{}">{}</a> {}, {}<br><code>{}</code>'
        return format_html_join(BREAK, line, lines) or NONE

    @admin.display(description="task result")
    def result(self, job: DownloadJob) -> str:
        """Return a link to the task's result if it is stored; those of completed jobs are not."""
        if not TaskResult.objects.filter(task_id=job.task_id).exists():
            return job.task_id or "-"
        url = reverse("admin:django_celery_results_taskresult_changelist")
        return format_html('<a href="{}?q={}">{}</a>', url, job.task_id, job.task_id)


def _job_links(jobs: Iterable[DownloadJob]) -> str:
    lines = [(job_link(job.pk), job.name, job.get_status_display()) for job in jobs]
    return format_html_join(BREAK, '<a href="{}">{}</a>, {}', lines) or NONE
