"""A form with a file, read as it arrives: never more of it in hand than a piece.

Views make a Form before anybody asks who is there, since Django would read the body for a token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest
from multipart import MultipartError, MultipartSegment, ParserError, PushMultipartParser
from rest_framework.exceptions import UnsupportedMediaType

from jobs.lib.database import release_connection
from jobs.web.multipart_headers import boundary_of, names_of
from jobs.web.problems import Problem
from jobs.web.request_limits import content_coding

FORM = "multipart/form-data"
PIECE_BYTES = 128 * 1024  # what the web process takes from the line at once
MAX_FIELDS = 20
MAX_FIELD_BYTES = 8 * 1024
BOUNDARY = re.compile(r"[ -~]{0,69}[!-~]")  # RFC 2046 has fewer signs; no client keeps to them
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
AS_IT_IS = {"7bit", "8bit", "binary"}


@dataclass(frozen=True)
class Incoming:
    """A file that is on its way: its name and type as the client claims them, its bytes once.

    Whoever iterates has a whole file only if nothing was raised at the end: the rest of the form
    is read there. Raises Problem for a file that is too large, slow or broken off.
    """

    name: str  # may be empty, or a path
    content_type: str
    pieces: Iterator[bytes]

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces


class Form:
    """A form as it arrives: its fields and its one file.

    `fields` has those before the file once that was asked for, and all when it has been read.
    """

    def __init__(self, request: HttpRequest, *, max_bytes: int) -> None:
        request.read(0)  # Django takes the body for read, and looks for a token in the header
        self.fields: dict[str, str] = {}
        self._request = request
        self._max_bytes = max_bytes  # of the file
        self._came_bytes = 0  # of the whole form
        self._events: Iterator[MultipartSegment | bytes | bytearray | None] = iter(())

    def file(self, name: str = "file") -> Incoming | None:
        """Read up to the file; None where there is none. Raises Problem for anything else."""
        if not self._has_body():
            return None
        self._check_headers()
        release_connection()  # the body may come slowly
        self._events = self._parse(self._boundary())
        part = self._next_file()
        if part is None:
            return None
        if part.name != name:
            raise _refused(f"The file has to be the field `{name}`.")
        return Incoming(
            part.filename or "",
            part.content_type or "application/octet-stream",
            self._pieces_of_the_file(part.filename or ""),
        )

    @property
    def promised_bytes(self) -> int:
        """The most that the file can have."""
        length = int(self._request.META.get("CONTENT_LENGTH") or 0)
        return min(length or self._max_bytes, self._max_bytes)

    def _has_body(self) -> bool:
        meta = self._request.META
        return bool(int(meta.get("CONTENT_LENGTH") or 0) or "HTTP_TRANSFER_ENCODING" in meta)

    def _check_headers(self) -> None:
        """Before a byte is read: the client is told, and need not send it all."""
        kind = self._request.headers.get("Content-Type", "")
        if kind.partition(";")[0].strip().lower() != FORM:
            raise UnsupportedMediaType(kind, f"Send the file as {FORM}.")
        if coding := content_coding(self._request.META):
            raise UnsupportedMediaType(coding, "Send the form as it is, without Content-Encoding.")
        if int(self._request.META.get("CONTENT_LENGTH") or 0) > self._most_bytes:
            raise too_large(self._max_bytes)

    @property
    def _most_bytes(self) -> int:
        """Of a form with the largest file: around that it may be as long as any other body."""
        return self._max_bytes + settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    def _boundary(self) -> bytes:
        boundary = boundary_of(self._request.headers["Content-Type"])
        if not BOUNDARY.fullmatch(boundary):
            raise _refused("Content-Type has no boundary, or none of 1 to 70 visible signs.")
        return boundary.encode()

    def _parse(self, boundary: bytes) -> Iterator[MultipartSegment | bytes | bytearray | None]:
        """The head of each part, its pieces, None; raises Problem unless the form ends properly."""
        # Strict, it would refuse a line end after the last boundary that comes in another piece.
        limits = {"max_header_count": 8, "max_header_size": 4096}
        try:
            with PushMultipartParser(boundary, **limits) as parser:
                piece = self._opening(b"--" + boundary)
                while piece:
                    yield from parser.parse(piece)
                    piece = self._read()
        except MultipartError as error:
            raise _refused(f"The form is broken: {error.args[0]}.") from error

    def _opening(self, boundary: bytes) -> bytes:
        """The first bytes, enough of them to see that they open a form: it has no preamble."""
        came = b""
        while len(came) < len(boundary) + 4 and (piece := self._read()):
            came += piece
        if not came.removeprefix(b"\r\n").startswith(boundary):
            raise ParserError("It does not begin with its boundary")
        return came

    def _read(self) -> bytes:
        """The next bytes; none at the end."""
        meta = self._request.META
        has_no_length = "wsgi.input_terminated" in meta and not meta.get("CONTENT_LENGTH")
        # Of a body of unknown length Django reads nothing. The web process knows where it ends.
        stream: Any = meta["wsgi.input"] if has_no_length else self._request
        try:
            piece: bytes = stream.read(PIECE_BYTES)
        except OSError as error:
            raise _broken_off(error) from error
        self._came_bytes += len(piece)
        if self._came_bytes > self._most_bytes:
            raise too_large(self._max_bytes)
        return piece

    def _next_file(self) -> MultipartSegment | None:
        """The next part that is a file. The fields before it are kept; None at the form's end."""
        for head in self._events:
            assert isinstance(head, MultipartSegment)  # the part before has been read to its end
            head.name, head.filename = names_of(head.header("Content-Disposition"))
            _check_part(head)
            if head.filename is not None:
                return head
            self._keep(head.name or "")
        return None

    def _keep(self, name: str) -> None:
        if name in self.fields or len(self.fields) == MAX_FIELDS:
            raise _refused(f"A form has at most {MAX_FIELDS} fields, each once.")
        value = bytearray()
        for piece in self._pieces():
            value += piece
            if len(value) > MAX_FIELD_BYTES:
                raise _refused(
                    f"A field has at most {MAX_FIELD_BYTES:,} bytes; a file has a `filename`."
                )
        try:
            self.fields[name] = value.decode()
        except UnicodeDecodeError as error:
            raise _refused("A field is no UTF-8.") from error
        if "\0" in self.fields[name]:
            raise _refused("A field has a NUL.")

    def _pieces(self) -> Iterator[bytes]:
        """Of the part whose head came last."""
        while isinstance(event := next(self._events), bytes | bytearray):
            yield bytes(event)

    def _pieces_of_the_file(self, name: str) -> Iterator[bytes]:
        release_connection()
        came_bytes = 0
        for piece in self._pieces():
            came_bytes += len(piece)
            if came_bytes > self._max_bytes:
                raise too_large(self._max_bytes)
            yield piece
        if not came_bytes and not name:  # as a browser sends a field where nothing was chosen
            raise no_file()
        if self._next_file():
            raise _refused("A form has one file.")


def no_file(sentence: str = "The form has no file.") -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "no_file", sentence, title="No file uploaded")


def too_large(max_bytes: int) -> Problem:
    sentence = f"A file has at most {max_bytes:,} bytes."
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", sentence, title="File too large"
    )


class NoFiles(FileUploadHandler):
    """Lets Django read short forms for their fields: files it would keep on this machine's disk."""

    def handle_raw_input(self, *told: Any, **_: Any) -> None:
        """Before anything is read."""
        _input, _meta, content_length = told[:3]
        if content_length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise RequestDataTooBig

    def new_file(self, *_: Any, **__: Any) -> None:
        raise SkipFile


def _check_part(head: MultipartSegment) -> None:
    """Refuse what readers of forms take for different things."""
    if any(CONTROL.search(value) for _, value in head.headerlist):
        raise _refused("A part's head has a control character.")
    if len({name for name, _ in head.headerlist}) < len(head.headerlist):
        raise _refused("A part's head says something twice.")
    if not head.name or CONTROL.search(head.name) or "\0" in (head.filename or ""):
        raise _refused("A part has no name, or one with a control character.")
    if (head.header("Content-Transfer-Encoding") or "binary").strip().lower() not in AS_IT_IS:
        raise _refused("Send each part as it is, without Content-Transfer-Encoding.")
    if head.header("Content-Range"):
        raise _refused("Send each part whole, without Content-Range.")
    if head.content_type == "multipart/mixed":
        raise _refused("A form has no multipart within.")


def _broken_off(error: OSError) -> Problem:
    """Whom Django or the web process gave up."""
    if isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError):
        sentence = "The body did not come in time."
        return Problem(HTTPStatus.REQUEST_TIMEOUT, "slow_body", sentence)
    return _refused("The body broke off, or is no valid HTTP.")


def _refused(sentence: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "parse_error", sentence)
