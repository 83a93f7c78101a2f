"""The response to a POST: its status, and the first bytes of its body."""

from __future__ import annotations

from http.client import HTTPException

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

MAX_BODY_BYTES = 2_000  # 500 characters, of up to four bytes each


class PostResponse:
    """`retry_after` has all headers of that name. `body` grows while `read_body` runs."""

    def __init__(self, response: BaseHTTPResponse) -> None:
        self._response = response
        self.status = response.status
        self.retry_after = response.headers.getlist("Retry-After")
        self.body = b""

    def read_body(self) -> None:
        """Read at most MAX_BODY_BYTES, then close. A connection that breaks ends the body."""
        try:
            while (missing := MAX_BODY_BYTES - len(self.body)) > 0:
                if not (chunk := self._response.read1(missing)):
                    break
                self.body += chunk
        except (HTTPError, HTTPException, OSError, ValueError):
            pass  # the status is known, and counts
        finally:
            self._response.close()
