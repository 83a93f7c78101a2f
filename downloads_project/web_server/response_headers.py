"""Status lines, and the headers that the server reads or adds."""

from __future__ import annotations

from http import HTTPStatus
from time import time
from wsgiref.handlers import format_date_time

STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\nServer: gunicorn\r\n".encode()
    for status in HTTPStatus
}


def response_header_value(fields: bytes, lowered: bytes, start: bytes) -> bytes | None:
    """Return what follows the first line that begins like this, in whatever case."""
    at = lowered.find(start)
    if at < 0:
        return None
    at += len(start)
    return fields[at : fields.index(b"\r", at)]


_dates: dict[int, bytes] = {}


def date_response_header() -> bytes:
    """Return the Date header's value, made once a second."""
    now = int(time())
    if now not in _dates:
        _dates.clear()
        _dates[now] = format_date_time(now).encode()
    return _dates[now]
