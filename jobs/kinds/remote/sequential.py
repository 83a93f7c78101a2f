"""Reads one response from beginning to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from queue import Empty, Queue

from jobs.outbound import LowSpeedLimit, RemoteResponse

AHEAD = 16  # chunks read ahead of the storage
TICK_SECONDS = 0.5


def sequential_chunks(response: RemoteResponse) -> Iterator[bytes]:
    """Yield the body, read in a thread, so that a server that drips bytes is noticed.

    Raises RemoteUnavailable if the body is incomplete, RemoteTooSlow.
    """
    read: Queue[bytes | Exception] = Queue(AHEAD)
    stop = threading.Event()
    threading.Thread(target=_read, args=[response, read, stop], name="reader", daemon=True).start()
    limit = LowSpeedLimit()
    try:
        while chunk := _next(read, limit):
            yield chunk
    finally:
        stop.set()
        response.abort()
        while not read.empty():  # so that the thread does not block on a full queue
            read.get_nowait()


def _read(response: RemoteResponse, read: Queue[bytes | Exception], stop: threading.Event) -> None:
    try:
        while not stop.is_set() and (chunk := response.read()):
            read.put(chunk)
        read.put(b"")
    except Exception as error:
        read.put(error)
    finally:
        response.close()


def _next(read: Queue[bytes | Exception], limit: LowSpeedLimit) -> bytes:
    while True:
        began = time.monotonic()
        try:
            found = read.get(timeout=TICK_SECONDS)
        except Empty:
            limit.check(time.monotonic() - began, 0)
            continue
        if isinstance(found, Exception):
            raise found
        limit.check(time.monotonic() - began, len(found))
        return found
