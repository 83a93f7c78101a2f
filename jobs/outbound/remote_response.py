"""The response to a request for a file. Its headers are checked strictly."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from urllib3 import BaseHTTPResponse

from jobs.errors import RemoteChanged, RemoteEncoded, RemoteUnavailable
from jobs.outbound.content_codings import is_own_content_coding
from jobs.outbound.disposition import disposition_file_name, is_attachment_disposition
from jobs.outbound.response_errors import RangesBroken, map_response_errors
from jobs.outbound.url_parser import ParsedUrl

READ_BYTES = 256 * 1024
# The unit in upper or lower case (RFC 9110, 14.1), with the separators that curl accepts.
CONTENT_RANGE = re.compile(
    r"bytes[ \t:=]*(\d{1,18})[ \t]*-[ \t]*(\d{1,18})[ \t]*/[ \t]*(\d{1,18})",
    re.ASCII | re.IGNORECASE,
)
STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
MAX_TYPE_CHARS = 100
# A file that changes twice within a second keeps its Last-Modified. RFC 7232 requires a minute.
SURELY_OLD = timedelta(seconds=60)


class RemoteResponse:
    """A successful response: the whole file, or a 206 with the bytes from `first` to `last`.

    `total` is the size of the file, None if unknown. `validator` identifies this version of it in
    If-Range; it is empty if two versions could have the same.
    """

    def __init__(self, response: BaseHTTPResponse, target: ParsedUrl) -> None:
        self._response = response
        self._target = target
        self._headers = response.headers
        self._left: int | None = None  # bytes left, if only Content-Range says how many
        self.is_partial = response.status == HTTPStatus.PARTIAL_CONTENT
        self.first = 0
        self.total = self._length()
        self.last = None if self.total is None else self.total - 1
        if self.is_partial:
            self.first, self.last, self.total = self._range()
        else:
            self._refuse_mislabelled_part()
        self._refuse_codings()

    @property
    def host(self) -> str:
        """The host that sent it, after redirects."""
        return self._target.host

    @property
    def is_whole(self) -> bool:
        """Whether this response has all of the file."""
        return not self.is_partial or (self.first, self.last) == (0, (self.total or 0) - 1)

    @property
    def validator(self) -> str:
        if STRONG_ETAG.fullmatch(etag := self._sole("ETag")):
            return etag
        modified, date = self._sole("Last-Modified"), self._sole("Date")
        with suppress(ValueError, TypeError, OverflowError):
            age = parsedate_to_datetime(date) - parsedate_to_datetime(modified)
            return modified if age >= SURELY_OLD else ""
        return ""

    @property
    def lacks_validator(self) -> bool:
        """Whether it has neither a Last-Modified nor an ETag, weak or strong."""
        return not (self._headers.get("ETag") or self._headers.get("Last-Modified"))

    def check(self, requested: tuple[int, int, int], validator: str) -> None:
        """Check that it has the requested bytes (first, last, total) of this version.

        Raises RemoteChanged if it is another version, RemoteUnavailable if it is not the file, such
        as an error page, and RangesBroken.
        """
        name = "ETag" if validator.startswith('"') else "Last-Modified"
        received = self._sole(name) or self._headers.get(name, "")
        if received and received != validator:
            raise RemoteChanged(f"The file at {self.host} changed while we fetched it.")
        if not received and not self.is_partial:
            raise RemoteUnavailable(f"{self.host} returned something other than the file.")
        # A server may leave out Last-Modified if it is in If-Range, but not the ETag.
        if not self.is_partial or (name == "ETag" and not received):
            raise RangesBroken("not the range that was asked for")
        if (self.first, self.last, self.total) != requested:
            raise RangesBroken("another range than was asked for")

    @property
    def content_type(self) -> str:
        """The content type without parameters; empty if it is missing or invalid."""
        values = self._headers.get("Content-Type", "").lower().split(",")
        types = [each.partition(";")[0].strip() for each in values]
        known = [each for each in types if CONTENT_TYPE.fullmatch(each)]
        # If there are several, the last one counts, as in the Fetch standard.
        return known[-1] if known and len(known[-1]) <= MAX_TYPE_CHARS else ""

    @property
    def name(self) -> str:
        """The raw file name in Content-Disposition; empty if there is none."""
        return disposition_file_name(self._disposition)

    @property
    def is_attachment(self) -> bool:
        """Whether the server says that it is a file, whatever its content type."""
        return is_attachment_disposition(self._disposition)

    def read(self) -> bytes:
        """Return the bytes that have arrived; empty at the end. Raises RemoteUnavailable."""
        with map_response_errors(self._target):
            chunk = self._response.read1(READ_BYTES, decode_content=False)
        if self._left is not None:
            self._left -= len(chunk)
            if self._left < 0 or (self._left and not chunk):
                raise RemoteUnavailable(f"{self.host} sent a different size than it announced.")
        return chunk

    def close(self) -> None:
        """Release the connection, which can be used again if all was read."""
        self._response.close()

    def abort(self) -> None:
        """Make `read` in another thread return at once."""
        with suppress(ValueError, RuntimeError, OSError):  # it has ended already
            self._response.shutdown()

    @property
    def _disposition(self) -> str:
        return next(iter(self._headers.getlist("Content-Disposition")), "")

    def _length(self) -> int | None:
        length = self._sole("Content-Length")
        return int(length) if re.fullmatch(r"\d{1,18}", length, re.ASCII) else None

    @property
    def _is_chunked(self) -> bool:
        return self._headers.get("Transfer-Encoding") == "chunked"

    def _range(self) -> tuple[int, int, int]:
        match = CONTENT_RANGE.fullmatch(self._sole("Content-Range"))
        if not match:
            raise RangesBroken("a 206 without a usable Content-Range")
        first, last, total = (int(number) for number in match.groups())
        if not first <= last < total:
            raise RangesBroken("a Content-Range that cannot be")
        # Without a length, a lost connection would look like the end; chunked bodies have one.
        count = last - first + 1
        if self._is_chunked:
            self._left = count
        elif self._length() != count:
            raise RangesBroken("Content-Length and Content-Range disagree", total=total)
        return first, last, total

    def _refuse_mislabelled_part(self) -> None:
        """Raises RangesBroken for a 200 whose Content-Range shows that it is only a part."""
        match = CONTENT_RANGE.fullmatch(self._sole("Content-Range"))
        if match and self.total is not None:
            first, last, total = (int(number) for number in match.groups())
            if self.total == last - first + 1 < total:
                raise RangesBroken("a part that is called the whole file")

    def _refuse_codings(self) -> None:
        # As normalized by response_head.py.
        if self._headers.get("Transfer-Encoding", "") not in ("", "chunked"):
            raise RemoteEncoded(f"{self._target.host} used an encoding that we don't support.")
        names = (self._target.path.partition("?")[0], self.name)
        encoding = self._headers.get("Content-Encoding", "")
        if not is_own_content_coding(encoding, names=names, content_type=self.content_type):
            sentence = f"{self._target.host} compressed the file, although we asked it not to."
            raise RemoteEncoded(sentence)

    def _sole(self, name: str) -> str:
        """Return the header; empty if it appears with different values."""
        values = set(self._headers.getlist(name))
        return values.pop() if len(values) == 1 else ""
