"""Transfers the bytes of a finished file from the file store, with resume and verification."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus

import requests

from downloads_client.connection_errors import (
    BAD_CA_BUNDLE,
    connection_error_reason,
    permanent_connection_error,
)
from downloads_client.failures import Unreachable, WrongBytes
from downloads_client.http_session import (
    TIMEOUT_SECONDS,
    HttpSession,
    check_session_location,
    session_retry_after,
)
from downloads_client.partial_file import PartialFile
from downloads_client.retry import Retry
from downloads_client.service_responses import DownloadResult

CHUNK_BYTES = 32 * 1024  # at most as much is lost when the connection drops
MAX_REDIRECTS = 5
CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")


class Transfer:
    """Fetches the file of `result` into `file`, resuming after the bytes that are already there.

    `refresh` returns the result with a fresh URL: presigned ones expire. `on_progress` is called
    with the bytes on disk and in total.
    """

    def __init__(
        self,
        file: PartialFile,
        refresh: Callable[[], DownloadResult],
        retry: Retry,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self._file, self._refresh, self._retry = file, refresh, retry
        self._on_progress = on_progress
        self._session = HttpSession()
        self._session.hooks["response"].append(check_session_location)
        self._session.auth = lambda request: request  # never from ~/.netrc
        self._session.headers["Accept-Encoding"] = "identity"  # ranges are of the stored bytes
        self._session.max_redirects = MAX_REDIRECTS
        self._etag = ""
        self._retry_after_seconds: float | None = None
        self._was_continued = False
        self._most_bytes = 0
        self.received_bytes = 0  # including those of failed tries

    def run(self, result: DownloadResult) -> DownloadResult:
        """Return the result that was fetched: a newer one if the file was created again meanwhile.

        Raises WrongBytes after deleting the file. Any other Failure keeps it, to be resumed.
        """
        self._result = result
        if self._file.size > result.size:
            self._file.truncate()
        self._fill()
        if not self._is_verified and self._was_continued:
            # It may hold bytes of two versions: the object changed, or the file on disk did.
            self._restart()
            self._fill()
        if not self._is_verified:
            self._file.delete()
            raise WrongBytes("The file is corrupt: its size or SHA-256 is not the expected one.")
        return self._result

    @property
    def _is_verified(self) -> bool:
        return (self._file.size, self._file.sha256) == (self._result.size, self._result.sha256)

    def _fill(self) -> None:
        """Fetch until the size is right, or until the store has another object."""
        self._most_bytes = self._file.size
        self._was_continued = self._file.size > 0
        self._on_progress(self._file.size, self._result.size)
        while self._file.size < self._result.size:
            try:
                if not self._stream():
                    return
            # The libraries raise ValueError for URLs such as "http://a..b", and OSError for an
            # unreadable CA bundle.
            except (requests.RequestException, OSError, ValueError) as error:
                failure = Unreachable(
                    f"The file store could not be reached: {connection_error_reason(error)}."
                )
                if permanent_connection_error(error) == BAD_CA_BUNDLE:
                    raise failure from error
                self._pause(failure)
            except Unreachable as failure:
                self._pause(failure)

    def _stream(self) -> bool:
        """Send one request. Return False if the store has another object."""
        begin = self._file.size
        headers = {"Range": f"bytes={begin}-"} if begin else {}
        if begin and self._etag:
            headers["If-Range"] = self._etag
        with self._session.get(
            self._result.url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS
        ) as response:
            if not self._accepts(response, begin):
                return False
            for chunk in response.iter_content(CHUNK_BYTES):
                self._file.write(chunk)
                self.received_bytes += len(chunk)
                self._on_progress(self._file.size, self._result.size)
                if self._file.size > self._result.size:
                    return False
        if self._file.size < self._result.size:
            raise Unreachable("The file store closed the connection.")
        return True

    def _accepts(self, response: requests.Response, begin: int) -> bool:
        """Return True if the body continues the file at `begin`. Raises Unreachable."""
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return False
        if response.status_code == HTTPStatus.OK:
            if begin:  # the store ignores ranges, or the object changed
                self._restart()
            total = response.headers.get("Content-Length")
        else:
            sent_range = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if response.status_code != HTTPStatus.PARTIAL_CONTENT or not sent_range:
                self._retry_after_seconds = session_retry_after(response.headers)
                raise Unreachable(f"The file store returned {response.status_code}.")
            if int(sent_range[1]) != begin:
                return False
            total = sent_range[2]
        etag = response.headers.get("ETag", "")
        self._etag = etag if etag.startswith('"') else ""  # a weak one does not identify bytes
        return total is None or total == str(self._result.size)

    def _restart(self) -> None:
        self._file.truncate()
        self._etag = ""
        self._was_continued = False

    def _pause(self, failure: Unreachable) -> None:
        if self._file.size > self._most_bytes:
            self._most_bytes = self._file.size
            self._retry.reset()
        self._retry.wait(failure, self._retry_after_seconds)
        self._retry_after_seconds = None
        fresh = self._refresh()
        if fresh.sha256 != self._result.sha256:  # the file was created again
            self._restart()
        self._result = fresh
        self._was_continued = self._file.size > 0
