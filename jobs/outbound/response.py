"""What a server answered, read with mistrust: only what is proven is believed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import PurePosixPath

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ReadTimeoutError,
)

from jobs.errors import RemoteChanged, RemoteEncoded, RemoteUnavailable
from jobs.outbound.disposition import file_name, is_attachment
from jobs.outbound.response_head import BadHead
from jobs.outbound.targets import Target

READ_BYTES = 256 * 1024
# The unit in any case (RFC 9110, 14.1), and with the blanks and signs that curl reads over.
CONTENT_RANGE = re.compile(
    r"bytes[ \t:=]*(\d{1,18})[ \t]*-[ \t]*(\d{1,18})[ \t]*/[ \t]*(\d{1,18})",
    re.ASCII | re.IGNORECASE,
)
STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
MAX_TYPE_CHARS = 100
# A file that changes twice within a second keeps its Last-Modified; a minute is what RFC 7232 asks.
SURELY_OLD = timedelta(seconds=60)
# All codings that mean something; any other word in Content-Encoding changes no byte. Where one is
# no more than what the name or the type says, the file is meant as it is sent.
PACKED_NAMES = {
    "gzip": {".gz", ".tgz", ".svgz"},
    "x-gzip": {".gz", ".tgz", ".svgz"},
    "compress": {".z"},
    "x-compress": {".z"},
    "deflate": set[str](),
    "br": {".br"},
    "zstd": {".zst", ".tzst"},
}
PACKED_TYPES = {
    "gzip": {"application/gzip", "application/x-gzip", "application/x-tgz"},
    "x-gzip": {"application/gzip", "application/x-gzip", "application/x-tgz"},
    "compress": {"application/x-compress"},
    "x-compress": {"application/x-compress"},
    "zstd": {"application/zstd", "application/x-zstd"},
}


class BadResponse(RemoteUnavailable):
    """The server hung up, or its response may be due to the Range header."""


class RangesBroken(Exception):
    """The server does not keep to what it said of ranges; it may still give the file in one go.

    `total` is its size where we know that, and the trouble is another.
    """

    def __init__(self, reason: str, *, total: int | None = None) -> None:
        super().__init__(reason)
        self.total = total


class RemoteResponse:
    """A good one: the whole file, or 206 with `first` to `last` of it.

    `total` is the size of the file, None where nobody says. `validator` names this version of it,
    as If-Range takes it; empty where two versions could have the same.
    """

    def __init__(self, response: BaseHTTPResponse, target: Target) -> None:
        self._response = response
        self._target = target
        self._headers = response.headers
        self._left: int | None = None  # bytes to come, where only Content-Range tells how many
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
        """Where it came from in the end."""
        return self._target.host

    @property
    def is_whole(self) -> bool:
        """All of the file is in this one answer."""
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
        """Return whether it has neither an ETag, not even a weak one, nor a Last-Modified."""
        return not (self._headers.get("ETag") or self._headers.get("Last-Modified"))

    def check(self, wanted: tuple[int, int, int], validator: str) -> None:
        """That it has these bytes (first, last, total) of this version, and no others.

        Raises RemoteChanged where there is another version now, RemoteUnavailable where it is no
        file at all, such as a page that says so, and RangesBroken.
        """
        name = "ETag" if validator.startswith('"') else "Last-Modified"
        told = self._sole(name) or self._headers.get(name, "")
        if told and told != validator:
            raise RemoteChanged(f"The file at {self.host} changed while we fetched it.")
        if not told and not self.is_partial:
            raise RemoteUnavailable(f"{self.host} returned something other than the file.")
        # Beside a Last-Modified in If-Range a server may leave it out; an ETag it may not.
        if not self.is_partial or (name == "ETag" and not told):
            raise RangesBroken("not the range that was asked for")
        if (self.first, self.last, self.total) != wanted:
            raise RangesBroken("another range than was asked for")

    @property
    def content_type(self) -> str:
        """Plain, `text/csv`; empty where it is not told, or is none."""
        values = self._headers.get("Content-Type", "").lower().split(",")
        types = [each.partition(";")[0].strip() for each in values]
        known = [each for each in types if CONTENT_TYPE.fullmatch(each)]
        # The last one counts where there are several, as the Fetch standard says.
        return known[-1] if known and len(known[-1]) <= MAX_TYPE_CHARS else ""

    @property
    def name(self) -> str:
        """What Content-Disposition calls it, not yet made safe; empty where it does not."""
        return file_name(self._disposition)

    @property
    def is_attachment(self) -> bool:
        """Return whether the server says that it is a file, whatever its content type."""
        return is_attachment(self._disposition)

    def read(self) -> bytes:
        """What has come; empty at the end. Raises RemoteUnavailable where it breaks off."""
        with passing_trouble(self._target):
            chunk = self._response.read1(READ_BYTES, decode_content=False)
        if self._left is not None:
            self._left -= len(chunk)
            if self._left < 0 or (self._left and not chunk):
                raise RemoteUnavailable(f"{self.host} sent a different size than it announced.")
        return chunk

    def close(self) -> None:
        """The connection can be used again if all was read."""
        self._response.close()

    def abort(self) -> None:
        """From another thread: let `read` end at once."""
        with suppress(ValueError, RuntimeError, OSError):  # it ended by itself
            self._response.shutdown()

    @property
    def _disposition(self) -> str:
        return next(iter(self._headers.getlist("Content-Disposition")), "")

    def _length(self) -> int | None:
        told = self._sole("Content-Length")
        return int(told) if re.fullmatch(r"\d{1,18}", told, re.ASCII) else None

    @property
    def _is_chunked(self) -> bool:
        return self._headers.get("Transfer-Encoding") == "chunked"

    def _range(self) -> tuple[int, int, int]:
        told = CONTENT_RANGE.fullmatch(self._sole("Content-Range"))
        if not told:
            raise RangesBroken("a 206 without a usable Content-Range")
        first, last, total = (int(number) for number in told.groups())
        if not first <= last < total:
            raise RangesBroken("a Content-Range that cannot be")
        # Without a length, what stands where a line broke off may be anything; chunks have an end.
        count = last - first + 1
        if self._is_chunked:
            self._left = count
        elif self._length() != count:
            raise RangesBroken("Content-Length and Content-Range disagree", total=total)
        return first, last, total

    def _refuse_mislabelled_part(self) -> None:
        """Content-Range means nothing in a 200, but may tell that the file is cut off."""
        said = CONTENT_RANGE.fullmatch(self._sole("Content-Range"))
        if said and self.total is not None:
            first, last, total = (int(number) for number in said.groups())
            if self.total == last - first + 1 < total:
                raise RangesBroken("a part that is called the whole file")

    def _refuse_codings(self) -> None:
        # As `response_head` leaves it: nothing else is taken for chunks.
        if self._headers.get("Transfer-Encoding", "") not in ("", "chunked"):
            raise RemoteEncoded(f"{self._target.host} used an encoding that we don't support.")
        said = self._headers.get("Content-Encoding", "").lower().split(",")
        codings = [each.partition(";")[0].strip() for each in said]
        packed = [each for each in codings if each in PACKED_NAMES]
        if len(packed) > 1 or not all(self._is_meant_packed(each) for each in packed):
            sentence = f"{self._target.host} compressed the file, although we asked it not to."
            raise RemoteEncoded(sentence)

    def _is_meant_packed(self, coding: str) -> bool:
        names = (self._target.path.partition("?")[0], self.name)
        suffixes = {PurePosixPath(each).suffix.lower() for each in names}
        is_named = not suffixes.isdisjoint(PACKED_NAMES[coding])
        return is_named or self.content_type in PACKED_TYPES.get(coding, ())

    def _sole(self, name: str) -> str:
        """Return the header; empty if it is there twice with different values."""
        values = set(self._headers.getlist(name))
        return values.pop() if len(values) == 1 else ""


@contextmanager
def passing_trouble(target: Target) -> Iterator[None]:
    """What goes wrong on the way, as RemoteUnavailable."""
    try:
        yield
    except ReadTimeoutError as error:
        raise RemoteUnavailable(f"{target.host} stopped responding.") from error
    except BadHead as error:
        raise BadResponse(f"{target.host} sent an invalid HTTP response.") from error
    except (NewConnectionError, ConnectTimeoutError) as error:
        raise RemoteUnavailable(f"{target.host} could not be reached.") from error
    except (HTTPError, OSError) as error:
        raise BadResponse(f"{target.host} closed the connection early.") from error
