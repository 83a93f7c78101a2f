"""The response to a POST: its status, and the first bytes of its body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Self

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

MAX_BODY_BYTES = 2_000  # 500 characters, of up to four bytes each


@dataclass
class PostResponse:
    """`retry_after` has all headers of that name. `body` grows while `read_body` runs."""

    status: int
    retry_after: Sequence[str]
    _response: BaseHTTPResponse
    body: bytes = b""

    @classmethod
    def of(cls, response: BaseHTTPResponse) -> Self:
        return cls(response.status, response.headers.getlist("Retry-After"), response)

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
