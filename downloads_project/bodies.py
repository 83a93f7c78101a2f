"""Which bodies are read before Django is asked, and which are read from the line while it answers.

One of unknown length Django takes for empty; one of known length it would read with whatever else
it holds in hand. What may not be held in memory is left on the line: what is longer than any JSON
may be, and forms of unknown length.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.unreader import IterUnreader

from downloads_project.refusals import SLOW_BODY, TOO_LARGE, Refused

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
FORM = "multipart/form-data"


def is_arriving(req: Any) -> bool:
    """Whether somebody who reads this body may have to wait for it."""
    reader = req.body.reader
    if isinstance(reader, ChunkedReader):
        return True
    return bool(reader.length > len(reader.unreader.buf.getvalue()))


def is_short(req: Any) -> bool:
    """Whether it may be held in memory, as far as one can know before."""
    if isinstance(req.body.reader, ChunkedReader):
        types = [value for name, value in req.headers if name == "CONTENT-TYPE"]
        return not any(each.partition(";")[0].strip().lower() == FORM for each in types)
    return bool(req.body.reader.length <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


class Streamed(Body):  # type: ignore[misc]  # gunicorn has no types
    """A body that is read from the line by whoever answers; each OSError says that it broke off.

    A client that waits for a 100 gets it with the first reading: one that is refused before sends
    nothing.
    """

    failed: bool

    def __init__(self, req: Any, sock: Any) -> None:
        super().__init__(req.body.reader)
        self._sock = sock
        self._is_waited_for, req._expected_100_continue = req._expected_100_continue, False

    def _read_reader(self, size: int) -> bytes:
        if self.failed:  # gunicorn's readers would say now that it has ended
            raise NoMoreData
        if self._is_waited_for:
            self._is_waited_for = False
            self._sock.sendall(CONTINUE)
        promised = min(size, getattr(self.reader, "length", 0))
        try:
            piece: bytes = super()._read_reader(size)
        except ParseException as error:  # which Django would take for a bug
            raise NoMoreData from error
        if len(piece) < promised:
            self.failed = True
            raise NoMoreData
        return piece


def receive(req: Any, sock: Any) -> None:
    """Read the whole of a short body and tell its length, as if the client had told it.

    Raises gunicorn's errors where it is broken or the client hung up, and Refused where it comes
    too slowly or does not end.
    """
    if req._expected_100_continue:
        sock.sendall(CONTINUE)
        req._expected_100_continue = False
    promised = getattr(req.body.reader, "length", 0)
    body = _read(req)
    if len(body) < promised:
        raise NoMoreData(b"")
    held = IterUnreader(())
    held.unread(body)
    req.body = Body(LengthReader(held, len(body)))
    framing = ("TRANSFER-ENCODING", "CONTENT-LENGTH")
    headers = [each for each in req.headers if each[0] not in framing]
    req.headers = [*headers, ("CONTENT-LENGTH", str(len(body)))]


def _read(req: Any) -> bytes:
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    try:
        body: bytes = req.body.read(most + 1)
    except TimeoutError as error:
        raise Refused(SLOW_BODY) from error
    if len(body) > most:
        raise Refused(TOO_LARGE)
    return body
