"""Bodies that are read before Django is asked: it would read them slowly, or not at all.

One of unknown length it takes for empty; one of known length it would read with whatever else it
holds in hand. What is longer than any JSON may be is left to it.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.errors import NoMoreData
from gunicorn.http.unreader import IterUnreader

from downloads_project.refusals import SLOW_BODY, TOO_LARGE, Refused

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def is_arriving(req: Any) -> bool:
    """Whether somebody who reads this body may have to wait for it."""
    reader = req.body.reader
    if isinstance(reader, ChunkedReader):
        return True
    return bool(reader.length > len(reader.unreader.buf.getvalue()))


def is_short(req: Any) -> bool:
    """Whether it may be held in memory, as far as one can know before."""
    length = getattr(req.body.reader, "length", 0)
    return bool(length <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


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
