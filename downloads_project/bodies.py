"""Bodies that are read before Django is asked, because it takes one of unknown length for empty."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.unreader import IterUnreader

from downloads_project.refusals import TOO_LARGE, Refusal, Refused

RECEIVE_SECONDS = 10  # between two pieces: gunicorn waits for ever, and slow ones fill all threads
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SLOW_BODY = Refusal(HTTPStatus.REQUEST_TIMEOUT, "slow_body", "The body did not come.")


def measure(req: Any, sock: Any) -> None:
    """Read the whole of a chunked body and tell its length, as if the client had told it.

    Raises gunicorn's errors where it is broken, and Refused where it is longer than any JSON may
    be. Nothing is answered to a client that hung up.
    """
    if req._expected_100_continue:
        sock.sendall(CONTINUE)
        req._expected_100_continue = False
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    try:
        body = req.body.read(most + 1)
    except TimeoutError as error:
        raise Refused(SLOW_BODY) from error
    if len(body) > most:
        raise Refused(TOO_LARGE)
    held = IterUnreader(())
    held.unread(body)
    req.body = Body(LengthReader(held, len(body)))
    told = [each for each in req.headers if each[0] != "TRANSFER-ENCODING"]
    req.headers = [*told, ("CONTENT-LENGTH", str(len(body)))]
