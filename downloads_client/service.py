"""The service over HTTP, signed in. Tries again for a while what may pass by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import requests

from downloads_client.errors import Failure, Gone, JobFailed, Refused, Unreachable
from downloads_client.formatting import printable
from downloads_client.http import (
    TIMEOUT_SECONDS,
    Session,
    check_location,
    lasting_reason,
    reason,
    whole_body,
)
from downloads_client.login import Login
from downloads_client.requests import New
from downloads_client.responses import Answer, Job, Result, poll_seconds
from downloads_client.retry import Patience

PASSING = {  # what a proxy says while there is nobody behind it
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}


class Service:
    """Every method raises a Failure where the service does not do what was asked.

    `patience` makes a new one for each request.
    """

    def __init__(self, login: Login, patience: Callable[[], Patience]) -> None:
        self.url = login.url.rstrip("/")
        self._login = {"username": login.user, "password": login.password}
        self._patience = patience
        self._token = ""
        self._session = Session()
        self._session.hooks["response"].append(check_location)
        self._session.auth = self._sign  # a header of its own would lose against ~/.netrc

    def ask(self, wish: New) -> Job:
        """Twice is once: the wish carries its key."""
        answer = self._call("POST", wish.path, wish.body, {"Idempotency-Key": wish.key})
        return replace(Job.of(answer), message="")  # that it was asked for we know

    def find(self, job_id: UUID) -> Job:
        return Job.of(self._call("GET", f"v1/download/status/{job_id}"))

    def look_again(self, job: Job) -> Job:
        """When nothing changed, it is the same, but for how long to leave it alone."""
        seen = {"If-None-Match": job.etag} if job.etag else {}
        answer = self._call("GET", f"v1/download/status/{job.id}", headers=seen)
        if answer.status == HTTPStatus.NOT_MODIFIED:
            return replace(job, poll_seconds=poll_seconds(answer))
        return Job.of(answer)

    def cancel(self, job_id: UUID) -> Job:
        return Job.of(self._call("DELETE", f"v1/download/{job_id}"))

    def result(self, job_id: UUID) -> Result:
        return Result.of(self._call("GET", f"v1/download/result/{job_id}"))

    def sha256_of(self, file_id: int) -> str:
        """Of a source; empty where it is not there."""
        told = self._call("POST", "v1/download/check", {"file_id": file_id}).told()
        return told.text("sha256", "")

    def _call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        if not self._token:
            self._sign_in()
        answer = self._try(method, path, body, headers)
        if answer.status == HTTPStatus.UNAUTHORIZED:  # a token lives for minutes, a job for hours
            self._sign_in()
            answer = self._try(method, path, body, headers)
        if not answer.ok:
            raise self._failure(answer)
        return answer

    def _sign_in(self) -> None:
        self._token = ""
        answer = self._try("POST", "v1/auth/token", self._login, None)
        if not answer.ok:
            raise self._failure(answer)
        self._token = answer.told().address("access")

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _try(self, method: str, path: str, body: Any, headers: dict[str, str] | None) -> Answer:
        """The first answer that is final: neither passing trouble, nor a wish to be asked later."""
        patience = self._patience()
        while True:
            try:
                answer = self._send(method, path, body, headers)
            # OSError and ValueError: what the libraries say of a file of certificates, a proxy.
            except (requests.RequestException, OSError, ValueError) as error:
                failure = Unreachable(f"{self.url} cannot be reached: {reason(error)}.")
                if lasting_reason(error):
                    raise failure from error
                patience.wait(failure)
                continue
            if answer.ok or not (answer.status in PASSING or answer.seconds is not None):
                return answer
            patience.wait(self._failure(answer), answer.seconds)

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str] | None) -> Answer:
        with self._session.request(
            method,
            f"{self.url}/{path}",
            json=body,
            headers=headers,
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
            stream=True,
        ) as response:
            return Answer(response.status_code, response.headers, whole_body(response))

    def _failure(self, answer: Answer) -> Failure:
        """What an answer that is none of the good ones means."""
        if 300 <= answer.status < 400:
            there = urlsplit(answer.headers.get("Location", ""))
            site = printable(f"{there.scheme}://{there.netloc}")
            return Unreachable(f"{self.url} sends on to {site}. Is that the service's address?")
        try:
            told = answer.told()
            sentence, code = told.details(), told.text("code")
        except Unreachable:
            return Unreachable(f"{self.url} answers {answer.status}, and not as the service does.")
        if answer.status >= 500:
            return Unreachable(sentence, code)
        if code == "job_failed":
            return JobFailed(sentence, code)
        kind = Gone if answer.status == HTTPStatus.GONE else Refused
        return kind(sentence, code)
