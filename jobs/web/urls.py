"""URLs of the API and the pages. No trailing slashes."""

from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularSwaggerSplitView

from jobs.kinds.form import has_generated_form
from jobs.kinds.registry import KINDS
from jobs.operations.metrics.view import Metrics
from jobs.web import converters as converters  # registers `<job:...>` and `<file:...>`
from jobs.web.api import (
    deletions,
    downloads,
    events,
    files,
    keys,
    kinds,
    operations,
    schedules,
    share_links,
    shared_files,
    tokens,
    webhooks,
)
from jobs.web.authentication import SignInPage
from jobs.web.content_negotiation import page_or_api
from jobs.web.error_handlers import api_not_found
from jobs.web.openapi import document
from jobs.web.pages import (
    account,
    deliveries,
    job,
    key_forms,
    kind_form,
    my_downloads,
    password_reset,
    previews,
    settings,
    share,
    shared,
    single_sign_on,
    stored_file,
    theme,
)
from jobs.web.pages import deletions as deletion_pages
from jobs.web.pages import schedules as schedule_pages

docs = SpectacularSwaggerSplitView.as_view(url_name="openapi", http_method_names=["get", "head"])

urlpatterns = [
    # First, because a kind may answer programs at the path of a page that comes below.
    *(path("", include(kind.urlconf)) for kind in KINDS.values() if kind.urlconf),
    *(
        path(f"new/{kind.name}", kind_form.kind_form, {"kind": kind.name}, f"new-{kind.name}")
        for kind in KINDS.values()
        if has_generated_form(kind)
    ),
    path("downloads", my_downloads.my_downloads, name="downloads"),
    path("downloads/delete", deletion_pages.delete_from_page, name="delete-downloads"),
    path(
        "downloads/deletions/<job:deletion_id>/undo",
        deletion_pages.undo_from_page,
        name="undo-delete",
    ),
    path("downloads/<job:job_id>", job.job_page, name="job-page"),
    path("downloads/<job:job_id>/state", job.job_page_state, name="job-state"),
    path("downloads/<job:job_id>/row", my_downloads.my_downloads_row, name="job-row"),
    path("downloads/<job:job_id>/cancel", job.cancel_from_page, name="job-cancel"),
    path("downloads/<job:job_id>/retry", job.retry_from_page, name="job-retry"),
    path("downloads/<job:job_id>/files/<slug:role>", previews.preview_file, name="made"),
    path("downloads/<job:job_id>/share", share.share_from_page, name="share-job"),
    path("downloads/shares/<job:share_id>/revoke", share.revoke_from_page, name="revoke-share"),
    path(
        "s/<slug:token>",
        page_or_api(shared.shared_page, shared_files.SharedFile.as_view(), reads_body=True),
        name="shared",
    ),
    path(
        "s/<slug:token>/download",
        page_or_api(
            shared.shared_download_page, shared_files.SharedDownload.as_view(), reads_body=True
        ),
        name="shared-download",
    ),
    path("files/<file:file_id>", stored_file.stored_file_page, name="file-page"),
    path("files/<file:file_id>/content", stored_file.stored_file_content, name="file-content"),
    path("schedules", schedule_pages.schedules_page, name="schedules"),
    *(
        path(f"schedules/<job:schedule_id>/{name}", view, name=f"schedule-{name}")
        for name, view in schedule_pages.BUTTONS.items()
    ),
    path("settings", settings.settings_page, name="settings"),
    path("settings/deliveries", deliveries.deliveries_page, name="deliveries"),
    path(
        "settings/deliveries/<job:delivery_id>/resend",
        deliveries.resend_from_page,
        name="delivery-resend",
    ),
    path("settings/email", account.change_email, name="settings-email"),
    path("settings/email/confirm", account.confirm_email, name="confirm-email"),
    path("settings/password", account.change_password, name="settings-password"),
    path("settings/keys", key_forms.create_key_from_page, name="settings-create-key"),
    path(
        "settings/keys/<job:key_id>/revoke",
        key_forms.revoke_key_from_page,
        name="settings-revoke-key",
    ),
    path("theme", theme.change_theme, name="theme"),
    path("sign-in", SignInPage.as_view(), name="sign-in"),
    path("password-reset", password_reset.PasswordReset.as_view(), name="password-reset"),
    path("password-reset/sent", password_reset.password_reset_sent, name="password-reset-sent"),
    path(
        "password-reset/<slug:uidb64>",
        password_reset.NewPassword.as_view(),
        name="new-password",
    ),
    path("sign-in/oidc", single_sign_on.sign_in_with_provider, name="oidc"),
    path("sign-in/oidc/callback", single_sign_on.finish_sign_in, name="oidc-callback"),
    path("sign-out", single_sign_on.SignOut.as_view(), name="sign-out"),
    path("v1/kinds", kinds.KindList.as_view(), name="kinds"),
    *kinds.urls_of_kinds(),
    path("v1/schedules", schedules.ScheduleList.as_view(), name="schedules-api"),
    path("v1/schedules/<job:schedule_id>", schedules.ScheduleDetail.as_view(), name="schedule"),
    path(
        "v1/schedules/<job:schedule_id>/run",
        schedules.RunSchedule.as_view(),
        name="run-schedule",
    ),
    path("v1/webhook/test", webhooks.TestWebhook.as_view(), name="webhook-test"),
    path("v1/webhook/deliveries", webhooks.Deliveries.as_view(), name="webhook-deliveries"),
    path(
        "v1/webhook/deliveries/<job:delivery_id>/resend",
        webhooks.ResendDelivery.as_view(),
        name="resend-delivery",
    ),
    path("v1/files", files.FileList.as_view(), name="files"),
    path("v1/files/<file:file_id>", files.FileDetail.as_view(), name="file"),
    path("v1/deletions", deletions.Deletions.as_view(), name="deletions"),
    path(
        "v1/deletions/<job:deletion_id>/undo",
        deletions.UndoDeletion.as_view(),
        name="undo-deletion",
    ),
    path("v1/download/check", downloads.CheckFile.as_view(), name="check"),
    path("v1/download/jobs", downloads.JobList.as_view(), name="jobs"),
    path("v1/download/status/<job:job_id>", downloads.JobStatus.as_view(), name="status"),
    path("v1/download/events", events.EventsOfJobs.as_view(), name="events-of-jobs"),
    path("v1/download/events/<job:job_id>", events.JobEvents.as_view(), name="events"),
    path("v1/download/result/<job:job_id>", downloads.ResultLink.as_view(), name="result"),
    path("v1/download/<job:job_id>", downloads.DownloadFile.as_view(), name="download"),
    path("v1/download/<job:job_id>/shares", share_links.JobShares.as_view(), name="shares"),
    path("v1/files/<file:file_id>/shares", share_links.FileShares.as_view(), name="file-shares"),
    path("v1/shares/<job:share_id>", share_links.ShareDetail.as_view(), name="share"),
    path("v1/download/<job:job_id>/retry", downloads.RetryJob.as_view(), name="retry"),
    path("admin/retry/<job:job_id>", operations.AdminRetry.as_view(), name="admin-retry"),
    # Not a job id: the admin, which comes next, would redirect to its sign-in page.
    path("admin/retry/<path:rest>", api_not_found),
    path("queue/stats", operations.QueueStats.as_view(), name="queue-stats"),
    path("workers/stats", operations.WorkerStats.as_view(), name="worker-stats"),
    path("metrics", Metrics.as_view(), name="metrics"),
    path("v1/keys", keys.KeyList.as_view(), name="keys"),
    path("v1/keys/<job:key_id>", keys.KeyDetail.as_view(), name="key"),
    path("v1/auth/token", tokens.Obtain.as_view(), name="token"),
    path("v1/auth/token/refresh", tokens.Refresh.as_view(), name="token-refresh"),
    path("v1/auth/token/revoke", tokens.Revoke.as_view(), name="token-revoke"),
    path("openapi", document.Document.as_view(), name="openapi"),
    path("docs", docs, name="docs"),
]
