"""The calls of the HTTP API, with sign-in and retries of temporary failures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import requests

from downloads_client.connection_errors import connection_error_reason, permanent_connection_error
from downloads_client.failures import Failure, Gone, JobFailed, RequestRefused, Unreachable
from downloads_client.formatting import format_printable
from downloads_client.http_session import (
    TIMEOUT_SECONDS,
    HttpSession,
    check_session_location,
    read_session_body,
)
from downloads_client.kinds.published_kind import PublishedKind
from downloads_client.login import Login
from downloads_client.new_download import NewDownload
from downloads_client.retry import Retry
from downloads_client.service_responses import (
    ApiResponse,
    DownloadResult,
    JobResponse,
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

    `new_retry` returns a Retry for each request.
    """

    def __init__(self, login: Login, new_retry: Callable[[], Retry]) -> None:
        self.url = login.url.rstrip("/")
        self._login = {"username": login.user, "password": login.password}
        self._new_retry = new_retry
        self._token = ""
        self._session = HttpSession()
        self._session.hooks["response"].append(check_session_location)
        self._session.auth = self._authorize  # a plain header would be replaced from ~/.netrc

    def create(self, request: NewDownload) -> JobResponse:
        """Create the download. Idempotent: the request has a key."""
        key = {"Idempotency-Key": request.idempotency_key}
        response = self._call(request.method, request.path, request.body, key)
        return replace(JobResponse.of(response), message="")  # the caller prints one of its own

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
        if not self._token:
            self._sign_in()
        response = self._send_with_retries(method, path, body, headers)
        if response.status == HTTPStatus.UNAUTHORIZED:  # a token lives for minutes, a job for hours
            self._sign_in()
            response = self._send_with_retries(method, path, body, headers)
        if not response.ok:
            raise self._failure(response)
        return response

    def _sign_in(self) -> None:
        self._token = ""
        response = self._send_with_retries("POST", "v1/auth/token", self._login, None)
        if not response.ok:
            raise self._failure(response)
        self._token = response.json().secret("access")

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
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
        with self._session.request(
            method,
            f"{self.url}/{path}",
            json=body,
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
