"""What a server answered, read with mistrust: only what is proven is believed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import PurePosixPath

from django.utils.http import parse_header_parameters
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError, ReadTimeoutError

from jobs.errors import RemoteChanged, RemoteEncoded, RemoteUnavailable
from jobs.remote_file.targets import Target

READ_BYTES = 256 * 1024
CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
MAX_TYPE_CHARS = 100
# A file that changes twice within a second keeps its Last-Modified; a minute is what RFC 7232 asks.
SURELY_OLD = timedelta(seconds=60)
# Where a coding is no more than what the name says, the file is meant as it is sent.
PACKED_NAMES = {
    "gzip": {".gz", ".tgz", ".svgz"},
    "x-gzip": {".gz", ".tgz", ".svgz"},
    "compress": {".z"},
    "x-compress": {".z"},
    "bzip2": {".bz2"},
    "x-bzip2": {".bz2"},
    "br": {".br"},
    "zstd": {".zst"},
}


class RangesBroken(Exception):
    """The server does not keep to what it said of ranges; it may still give the file in one go.

    `total` is its size where we know that, and the trouble is another.
    """

    def __init__(self, reason: str, *, total: int | None = None) -> None:
        super().__init__(reason)
        self.total = total


class Answer:
    """A good one: 200 with the whole file, or 206 with `first` to `last` of it.

    `total` is the size of the file, None where nobody says. `validator` names this version of it,
    as If-Range takes it; empty where two versions could have the same.
    """

    def __init__(self, response: BaseHTTPResponse, target: Target) -> None:
        self._response = response
        self._target = target
        self._headers = response.headers
        self.is_partial = response.status == HTTPStatus.PARTIAL_CONTENT
        self.first = 0
        self.total = self._length()
        self.last = None if self.total is None else self.total - 1
        if self.is_partial:
            self.first, self.last, self.total = self._range()
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
        if STRONG_ETAG.fullmatch(etag := self._headers.get("ETag", "")):
            return etag
        modified, date = (self._headers.get(name, "") for name in ("Last-Modified", "Date"))
        with suppress(ValueError, TypeError, OverflowError):
            age = parsedate_to_datetime(date) - parsedate_to_datetime(modified)
            return modified if age >= SURELY_OLD else ""
        return ""

    def check(self, wanted: tuple[int, int, int], validator: str) -> None:
        """That it has these bytes (first, last, total) of this version, and no others.

        Raises RemoteChanged where there is another version now, RemoteUnavailable where it is no
        file at all, such as a page that says so, and RangesBroken.
        """
        name = "ETag" if validator.startswith('"') else "Last-Modified"
        told = self._headers.get(name, "")
        if told and told != validator:
            raise RemoteChanged(f"The file at {self.host} changed while we fetched it.")
        if not told and not self.is_partial:
            raise RemoteUnavailable(f"{self.host} answers with something else than the file.")
        # Beside a Last-Modified in If-Range a server may leave it out; an ETag it may not.
        if not self.is_partial or (name == "ETag" and not told):
            raise RangesBroken("not the range that was asked for")
        if (self.first, self.last, self.total) != wanted:
            raise RangesBroken("another range than was asked for")

    @property
    def content_type(self) -> str:
        """Plain, `text/csv`; empty where it is not told, or is none."""
        told = self._headers.get("Content-Type", "").partition(";")[0].strip().lower()
        is_one = CONTENT_TYPE.fullmatch(told) and len(told) <= MAX_TYPE_CHARS
        return told if is_one else ""

    @property
    def name(self) -> str:
        """What Content-Disposition calls it, not yet made safe; empty where it does not."""
        told = self._headers.get("Content-Disposition", "")
        with suppress(UnicodeError):
            told = told.encode("latin-1").decode()  # as most servers send it
        with suppress(ValueError, LookupError):  # an encoding that nobody knows
            return str(parse_header_parameters(told)[1].get("filename", ""))
        return ""

    def read(self) -> bytes:
        """What has come; empty at the end. Raises RemoteUnavailable where it breaks off."""
        with passing_trouble(self._target):
            return self._response.read1(READ_BYTES, decode_content=False)

    def close(self) -> None:
        """The connection can be used again if all was read."""
        self._response.close()

    def shut(self) -> None:
        """From another thread: let `read` end at once."""
        with suppress(ValueError, RuntimeError, OSError):  # it ended by itself
            self._response.shutdown()

    def _length(self) -> int | None:
        told = self._headers.get("Content-Length", "")
        return int(told) if re.fullmatch(r"\d{1,18}", told, re.ASCII) else None

    def _range(self) -> tuple[int, int, int]:
        told = CONTENT_RANGE.fullmatch(self._headers.get("Content-Range", ""))
        if not told:
            raise RangesBroken("a 206 without a usable Content-Range")
        first, last, total = (int(number) for number in told.groups())
        if not first <= last < total:
            raise RangesBroken("a Content-Range that cannot be")
        # Without a length, what stands where a line broke off may be anything.
        if self._length() != last - first + 1:
            raise RangesBroken("Content-Length and Content-Range disagree", total=total)
        return first, last, total

    def _refuse_codings(self) -> None:
        # As it stands there: what is read takes nothing else for chunks, "chunked " not either.
        if self._headers.get("Transfer-Encoding", "").lower() not in ("", "identity", "chunked"):
            raise RemoteEncoded(f"{self._target.host} sends the file in a way that is not read.")
        coding = self._headers.get("Content-Encoding", "").strip().lower()
        if coding in ("", "identity"):
            return
        suffix = PurePosixPath(self._target.path.partition("?")[0]).suffix.lower()
        if suffix not in PACKED_NAMES.get(coding, ()):
            sentence = f"{self._target.host} sends the file packed, though we asked it not to."
            raise RemoteEncoded(sentence)


@contextmanager
def passing_trouble(target: Target) -> Iterator[None]:
    """What goes wrong on the way, as RemoteUnavailable."""
    try:
        yield
    except ReadTimeoutError as error:
        raise RemoteUnavailable(f"{target.host} fell silent.") from error
    except (HTTPError, OSError) as error:
        raise RemoteUnavailable(f"{target.host} broke off.") from error
