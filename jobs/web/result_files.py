"""The file of a completed job, and the redirects to files in the store."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpResponseRedirect

from jobs import storage
from jobs.kinds.registry import KINDS
from jobs.lib.database import release_database_connection
from jobs.models import DownloadJob, StoredFile
from jobs.states import Status
from jobs.web.poll_responses import poll_after_seconds, poll_url
from jobs.web.problems import Problem


def result_file(job: DownloadJob) -> StoredFile:
    """Return the file of a completed job. Raises Problem if there is none in the store."""
    if not KINDS[job.kind].makes_file:
        raise Problem(HTTPStatus.CONFLICT, "makes_no_file", "This download makes no file.")
    if not job.is_finished:
        headers = {"Location": poll_url(job), "Retry-After": str(poll_after_seconds(job))}
        raise Problem(HTTPStatus.CONFLICT, "not_ready", "The file is not ready yet.", headers)
    if job.status == Status.FAILED:
        raise Problem(HTTPStatus.CONFLICT, "job_failed", job.error)
    if job.artifact is None:
        raise Problem(HTTPStatus.GONE, job.status, f"The download is {job.status}.")
    release_database_connection()  # the store may be slow
    if not storage.object_exists(job.artifact.key, job.artifact.size_bytes):
        raise Problem(HTTPStatus.GONE, "artifact_gone", "The file no longer exists.")
    return job.artifact


def redirect_to_result(job: DownloadJob, method: str) -> HttpResponseRedirect:
    return redirect_to_file(result_file(job), method)


def redirect_to_file(file: StoredFile, method: str) -> HttpResponseRedirect:
    """Return 302 to a presigned URL. It is signed for the method, GET or HEAD."""
    signed_for = "HEAD" if method == "HEAD" else "GET"
    url = storage.presigned_url(
        file.key,
        name=file.base_name,
        content_type=file.content_type,
        method=signed_for,
        bucket_name=file.bucket,
    )
    # Keep the page's URL out of the log of the file store.
    return HttpResponseRedirect(url, headers={"Referrer-Policy": "no-referrer"})
