"""One answer, front to back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from queue import Empty, Queue

from jobs.outbound import LowSpeedLimit, RemoteResponse

AHEAD = 16  # chunks that are read while the store takes its time
TICK_SECONDS = 0.5


def chunks_of(answer: RemoteResponse) -> Iterator[bytes]:
    """All of it, read by a thread of its own: a server that sends a byte now and then is noticed.

    Raises RemoteUnavailable where it breaks off, RemoteTooSlow.
    """
    read: Queue[bytes | Exception] = Queue(AHEAD)
    over = threading.Event()
    threading.Thread(target=_read, args=[answer, read, over], name="reader", daemon=True).start()
    pace = LowSpeedLimit()
    try:
        while chunk := _next(read, pace):
            yield chunk
    finally:
        over.set()
        answer.abort()
        while not read.empty():  # so that the thread is not left waiting for room
            read.get_nowait()


def _read(answer: RemoteResponse, read: Queue[bytes | Exception], over: threading.Event) -> None:
    try:
        while not over.is_set() and (chunk := answer.read()):
            read.put(chunk)
        read.put(b"")
    except Exception as error:
        read.put(error)
    finally:
        answer.close()


def _next(read: Queue[bytes | Exception], pace: LowSpeedLimit) -> bytes:
    while True:
        began = time.monotonic()
        try:
            found = read.get(timeout=TICK_SECONDS)
        except Empty:
            pace.check(time.monotonic() - began, 0)
            continue
        if isinstance(found, Exception):
            raise found
        pace.check(time.monotonic() - began, len(found))
        return found
