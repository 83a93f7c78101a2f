"""Where reading an object has got to, so that it can resume."""

from __future__ import annotations

from urllib3 import BaseHTTPResponse

from jobs.errors import SourceChanged

CHANGED_SENTENCE = "A stored file changed while it was read."


class ReadPosition:
    """The offset in an object that is being read, and the version of the object."""

    def __init__(self, size_bytes: int | None, etag: str = "") -> None:
        self.offset, self.etag = 0, ""
        self._size_bytes, self._expected_etag = size_bytes, etag

    def headers(self) -> dict[str, str]:
        if not self.offset:
            return {}
        return {"range": f"bytes={self.offset}-", "if-match": self.etag}

    def check(self, response: BaseHTTPResponse) -> None:
        """Raises SourceChanged unless the response has the requested bytes."""
        etag = response.headers.get("ETag", "")
        if self.offset:
            begins = response.headers.get("Content-Range", "").startswith(f"bytes {self.offset}-")
            if etag != self.etag or not begins:
                raise SourceChanged(CHANGED_SENTENCE)
            return
        length = response.headers.get("Content-Length", "")
        if self._size_bytes is not None and length.isdigit() and int(length) != self._size_bytes:
            raise SourceChanged("The size of a stored file has changed since it was stored.")
        if self._expected_etag and bare_etag(etag) != self._expected_etag:
            raise SourceChanged(CHANGED_SENTENCE)
        self.etag = etag


def bare_etag(etag: str) -> str:
    """Return an ETag without its quotes, which some stores leave out in lists."""
    return etag.strip('"')
