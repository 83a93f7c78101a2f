"""The calls of the HTTP API, with sign-in and retries of temporary failures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import requests

from downloads_client.access_token import AccessToken
from downloads_client.chunk_form import ChunkForm
from downloads_client.connection_errors import connection_error_reason, permanent_connection_error
from downloads_client.failures import Failure, Gone, JobFailed, RequestRefused, Unreachable
from downloads_client.formatting import format_printable
from downloads_client.http_session import (
    TIMEOUT_SECONDS,
    HttpSession,
    check_session_location,
    read_session_body,
)
from downloads_client.json_object import JsonObject
from downloads_client.kinds import UPLOAD
from downloads_client.kinds.published_kind import PublishedKind
from downloads_client.login import Login
from downloads_client.new_download import NewDownload
from downloads_client.retry import Retry
from downloads_client.service_responses import (
    ApiResponse,
    DownloadResult,
    JobResponse,
    UploadResponse,
    published_kinds,
    response_poll_seconds,
)

TRANSIENT_STATUSES = {  # as a proxy sends them while the service restarts
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}


class Service:
    """A signed-in client. Every method raises a Failure if the request fails.

    `new_retry` returns a Retry for each request. Threads have an instance each, and may share the
    token.
    """

    def __init__(
        self, login: Login, new_retry: Callable[[], Retry], token: AccessToken | None = None
    ) -> None:
        self.url = login.url.rstrip("/")
        self._api_key = login.api_key
        self._login = {"username": login.user, "password": login.password}
        self._new_retry = new_retry
        self._token = token or AccessToken()
        self._is_signing_in = False
        self._session = HttpSession()
        self._session.hooks["response"].append(check_session_location)
        self._session.auth = self._authorize  # a plain header would be replaced from ~/.netrc

    def create(self, request: NewDownload) -> JobResponse:
        """Create the download. Idempotent: the request has a key."""
        key = {"Idempotency-Key": request.idempotency_key}
        response = self._call(request.method, request.path, request.body, key)
        return replace(JobResponse.of(response), message="")  # the caller prints one of its own

    def begin_upload(self, body: dict[str, Any], key: str) -> UploadResponse | JobResponse:
        """Begin an upload, or return the one with the same key: the job if it is complete."""
        response = self._call("POST", UPLOAD.path, body, {"Idempotency-Key": key})
        is_job = response.status == HTTPStatus.ACCEPTED
        return JobResponse.of(response) if is_job else UploadResponse.of(response)

    def send_chunk(self, form: ChunkForm) -> None:
        """Send a chunk. Idempotent. The last one that was missing starts the job."""
        self._call("POST", UPLOAD.path, form)

    def page(self, path: str, params: dict[str, str]) -> JsonObject:
        """Return one page of a list."""
        return self._call("GET", f"{path}?{urlencode(params)}").json()

    def delete(self, body: dict[str, Any]) -> JsonObject:
        """Delete jobs or files. Harmless when repeated."""
        return self._call("POST", "v1/deletions", body).json()

    def restore(self, deletion_id: UUID) -> int:
        """Undo a deletion. Return how many jobs and files are back."""
        response = self._call("POST", f"v1/deletions/{deletion_id}/undo")
        return response.json().integer_or_none("restored") or 0

    def kinds(self) -> list[PublishedKind]:
        """Return the kinds that this user may request."""
        return published_kinds(self._call("GET", "v1/kinds").json())

    def get(self, job_id: UUID) -> JobResponse:
        return JobResponse.of(self._call("GET", f"v1/download/status/{job_id}"))

    def poll(self, job: JobResponse) -> JobResponse:
        """Return the job's present state. Sends its ETag, so an unchanged job costs a 304."""
        headers = {"If-None-Match": job.etag} if job.etag else {}
        response = self._call("GET", f"v1/download/status/{job.id}", headers=headers)
        if response.status == HTTPStatus.NOT_MODIFIED:
            return replace(job, poll_seconds=response_poll_seconds(response))
        return JobResponse.of(response)

    def cancel(self, job_id: UUID) -> JobResponse:
        return JobResponse.of(self._call("DELETE", f"v1/download/{job_id}"))

    def result(self, job_id: UUID) -> DownloadResult:
        return DownloadResult.of(self._call("GET", f"v1/download/result/{job_id}"))

    def _call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> ApiResponse:
        """Send the request, with the body as JSON, or as it is if it is a ChunkForm."""
        if not self._api_key and self._token.is_old:
            self._sign_in(self._token.value)
        used = self._token.value
        response = self._send_with_retries(method, path, body, headers)
        is_refused = response.status == HTTPStatus.UNAUTHORIZED
        if is_refused and not self._api_key:  # a token lives for minutes, a job for hours
            self._sign_in(used)
            response = self._send_with_retries(method, path, body, headers)
        if not response.ok:
            raise self._failure(response)
        return response

    def _sign_in(self, used: str) -> None:
        """Get a new token, unless another thread has replaced the `used` one already."""
        with self._token.lock:
            if self._token.value != used:
                return
            self._is_signing_in = True
            try:
                response = self._send_with_retries("POST", "v1/auth/token", self._login, None)
            finally:
                self._is_signing_in = False
            if not response.ok:
                raise self._failure(response)
            self._token.replace(response.json().secret("access"))

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if not self._is_signing_in:
            request.headers["Authorization"] = f"Bearer {self._api_key or self._token.value}"
        return request

    def _send_with_retries(
        self, method: str, path: str, body: Any, headers: dict[str, str] | None
    ) -> ApiResponse:
        """Return the first response that is neither a temporary failure nor has a Retry-After."""
        retry = self._new_retry()
        while True:
            try:
                response = self._send(method, path, body, headers)
            # The libraries raise OSError for an unreadable CA bundle, ValueError for a bad proxy.
            except (requests.RequestException, OSError, ValueError) as error:
                failure = Unreachable(
                    f"{self.url} could not be reached: {connection_error_reason(error)}."
                )
                if permanent_connection_error(error):
                    raise failure from error
                retry.wait(failure)
                continue
            seconds = response.retry_after_seconds
            is_temporary = response.status in TRANSIENT_STATUSES or seconds is not None
            if response.ok or not is_temporary:
                return response
            retry.wait(self._failure(response), seconds)

    def _send(
        self, method: str, path: str, body: Any, headers: dict[str, str] | None
    ) -> ApiResponse:
        content: dict[str, Any] = {"json": body}
        if isinstance(body, ChunkForm):
            content = {"data": body.rewind()}
            headers = {"Content-Type": body.content_type}
        with self._session.request(
            method,
            f"{self.url}/{path}",
            **content,
            headers=headers,
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
            stream=True,
        ) as response:
            return ApiResponse(response.status_code, response.headers, read_session_body(response))

    def _failure(self, response: ApiResponse) -> Failure:
        """Return the Failure for an error response."""
        if 300 <= response.status < 400:
            location = urlsplit(response.headers.get("Location", ""))
            site = format_printable(f"{location.scheme}://{location.netloc}")
            return Unreachable(f"{self.url} redirects to {site}. Is that the URL of the service?")
        try:
            body = response.json()
            sentence, code = body.details(), body.text("code")
        except Unreachable:
            return Unreachable(
                f"{self.url} returned {response.status}, and does not look like the service."
            )
        if response.status >= 500:
            return Unreachable(sentence, code)
        if code == "job_failed":
            return JobFailed(sentence, code)
        failure = Gone if response.status == HTTPStatus.GONE else RequestRefused
        return failure(sentence, code)
