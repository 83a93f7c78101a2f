"""Read a multipart form with one file as a stream: one piece is in memory at a time.

Views create the form before authentication, since Django would read the body for a CSRF token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from multipart import MultipartError, MultipartSegment, ParserError, PushMultipartParser
from rest_framework.exceptions import UnsupportedMediaType

from jobs.lib.database import release_database_connection
from jobs.web.multipart_headers import multipart_boundary, multipart_header_names
from jobs.web.multipart_problems import (
    broken_off_problem,
    check_multipart_part,
    file_too_large_problem,
    malformed_form_problem,
    no_file_problem,
)
from jobs.web.request_limits import request_content_coding

FORM = "multipart/form-data"
PIECE_BYTES = 128 * 1024  # what the web process reads from the socket at once
MAX_FIELDS = 20
MAX_FIELD_BYTES = 8 * 1024
BOUNDARY = re.compile(r"[ -~]{0,69}[!-~]")  # RFC 2046 allows fewer characters; no client follows it


@dataclass(frozen=True)
class IncomingFile:
    """A file that is being received, with the name and type that the client sent.

    Iterate once over its bytes. The file is complete only if iterating raises nothing: the end of
    the form is checked there. Raises Problem if the file is too large, slow or breaks off.
    """

    name: str  # may be empty, or a path
    content_type: str
    pieces: Iterator[bytes]

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces


class MultipartForm:
    """A form that is being received: its fields and its one file.

    After `file()`, `fields` has the fields before the file; after the file was read, all of them.
    """

    def __init__(self, request: HttpRequest, *, max_bytes: int) -> None:
        request.read(0)  # now Django does not read the body for the CSRF token
        self.fields: dict[str, str] = {}
        self._request = request
        self._max_bytes = max_bytes  # of the file
        self._received_bytes = 0  # of the whole form
        self._events: Iterator[MultipartSegment | bytes | bytearray | None] = iter(())

    def file(self, name: str = "file") -> IncomingFile | None:
        """Read up to the file and return it; None if there is none. Raises Problem."""
        if not self._has_body():
            return None
        self._check_headers()
        release_database_connection()  # the body may come slowly
        self._events = self._parse(self._boundary())
        part = self._next_file()
        if part is None:
            return None
        if part.name != name:
            raise malformed_form_problem(f"Send the file in the field `{name}`.")
        return IncomingFile(
            part.filename or "",
            part.content_type or "application/octet-stream",
            self._pieces_of_the_file(part.filename or ""),
        )

    @property
    def max_file_bytes(self) -> int:
        """The most bytes that the file can have, by Content-Length and the limit."""
        length = int(self._request.META.get("CONTENT_LENGTH") or 0)
        return min(length or self._max_bytes, self._max_bytes)

    def _has_body(self) -> bool:
        meta = self._request.META
        return bool(int(meta.get("CONTENT_LENGTH") or 0) or "HTTP_TRANSFER_ENCODING" in meta)

    def _check_headers(self) -> None:
        """Reject a form before reading it, so that the client need not send all of it."""
        media_type = self._request.headers.get("Content-Type", "")
        if media_type.partition(";")[0].strip().lower() != FORM:
            raise UnsupportedMediaType(media_type, f"Send the file as {FORM}.")
        if coding := request_content_coding(self._request.META):
            raise UnsupportedMediaType(coding, "Send the form without Content-Encoding.")
        if int(self._request.META.get("CONTENT_LENGTH") or 0) > self._max_form_bytes:
            raise file_too_large_problem(self._max_bytes)

    @property
    def _max_form_bytes(self) -> int:
        """The largest file, and as much around it as any other body may have."""
        return self._max_bytes + settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    def _boundary(self) -> bytes:
        boundary = multipart_boundary(self._request.headers["Content-Type"])
        if not BOUNDARY.fullmatch(boundary):
            raise malformed_form_problem(
                "Content-Type needs a boundary of 1 to 70 visible characters."
            )
        return boundary.encode()

    def _parse(self, boundary: bytes) -> Iterator[MultipartSegment | bytes | bytearray | None]:
        """Yield the head of each part, its pieces, and None. Raises Problem for a broken form."""
        # Not strict: that rejects a line end after the last boundary if it is in another piece.
        limits = {"max_header_count": 8, "max_header_size": 4096}
        try:
            with PushMultipartParser(boundary, **limits) as parser:
                piece = self._opening(b"--" + boundary)
                while piece:
                    yield from parser.parse(piece)
                    piece = self._read()
        except MultipartError as error:
            raise malformed_form_problem(f"The form is malformed: {error.args[0]}.") from error

    def _opening(self, boundary: bytes) -> bytes:
        """Return the first bytes. Raises ParserError unless they begin with the boundary."""
        opening = b""
        while len(opening) < len(boundary) + 4 and (piece := self._read()):
            opening += piece
        if not opening.removeprefix(b"\r\n").startswith(boundary):
            raise ParserError("It does not begin with its boundary")
        return opening

    def _read(self) -> bytes:
        """Return the next bytes; empty at the end."""
        meta = self._request.META
        has_no_length = "wsgi.input_terminated" in meta and not meta.get("CONTENT_LENGTH")
        # Django reads nothing of a body without a length; the web process knows where it ends.
        stream: Any = meta["wsgi.input"] if has_no_length else self._request
        try:
            piece: bytes = stream.read(PIECE_BYTES)
        except OSError as error:
            raise broken_off_problem(error) from error
        self._received_bytes += len(piece)
        if self._received_bytes > self._max_form_bytes:
            raise file_too_large_problem(self._max_bytes)
        return piece

    def _next_file(self) -> MultipartSegment | None:
        """Return the next part that is a file; None at the end. Stores the fields before it."""
        for head in self._events:
            assert isinstance(head, MultipartSegment)  # the previous part has been read to its end
            head.name, head.filename = multipart_header_names(head.header("Content-Disposition"))
            check_multipart_part(head)
            if head.filename is not None:
                return head
            self._store_field(head.name or "")
        return None

    def _store_field(self, name: str) -> None:
        if name in self.fields or len(self.fields) == MAX_FIELDS:
            raise malformed_form_problem(f"A form may have at most {MAX_FIELDS} fields, each once.")
        value = bytearray()
        for piece in self._pieces():
            value += piece
            if len(value) > MAX_FIELD_BYTES:
                raise malformed_form_problem(
                    f"A field may have at most {MAX_FIELD_BYTES:,} bytes; a file has a `filename`."
                )
        try:
            self.fields[name] = value.decode()
        except UnicodeDecodeError as error:
            raise malformed_form_problem("A field is not valid UTF-8.") from error
        if "\0" in self.fields[name]:
            raise malformed_form_problem("A field contains a NUL character.")

    def _pieces(self) -> Iterator[bytes]:
        """Yield the pieces of the current part."""
        while isinstance(event := next(self._events), bytes | bytearray):
            yield bytes(event)

    def _pieces_of_the_file(self, name: str) -> Iterator[bytes]:
        release_database_connection()
        received_bytes = 0
        for piece in self._pieces():
            received_bytes += len(piece)
            if received_bytes > self._max_bytes:
                raise file_too_large_problem(self._max_bytes)
            yield piece
        if not received_bytes and not name:  # a browser sends this if no file was chosen
            raise no_file_problem()
        if self._next_file():
            raise malformed_form_problem("A form may have only one file.")
