"""How requests come in: what is waited for without a thread, and how long a thread waits.

The worker's main thread holds a request of up to HELD_BYTES until it is whole. Only what is longer
costs a thread while it comes, and then it has to come fast.
"""

from __future__ import annotations

import re
import time
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.http.unreader import SocketUnreader

RECEIVE_SECONDS = 10  # for a request that is held; between two pieces of a longer one
GRACE_SECONDS = 10  # waiting that a longer body has for nothing; then it earns more by coming
LEAST_BYTES_A_SECOND = 10_000  # 80 kbit/s, a bad mobile line: 100 MB would take hours anyway
HELD_BYTES = 32 * 1024  # 4,000 file ids; a thousand clients hold 32 MB. No head may be longer
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,6})[ \t]*\r\n", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:", re.IGNORECASE)


class Arrival:
    """A request as far as it has come. Whether it is valid is for gunicorn's parser to say."""

    def __init__(self, came: bytes = b"") -> None:
        self.came = bytearray()
        self.head_bytes = 0  # 0: not all of it is here
        self.has_ended = False  # the client sends no more
        self._wanted = HELD_BYTES
        self._is_hopeless = False
        if came:
            self.take(came)

    def take(self, piece: bytes) -> None:
        """The next bytes; none where the client has stopped sending."""
        searched = max(0, len(self.came) - 3)
        self.came += piece
        self.has_ended = not piece
        if self.head_bytes:
            return
        if (end := self.came.find(b"\r\n\r\n", searched)) >= 0:
            self.head_bytes = end + 4
            self._wanted = min(self.head_bytes + self._body_bytes(), HELD_BYTES)
        # It never gets an end that the parser takes for one.
        elif _BARE_LINE_FEED.search(self.came, searched):
            self._is_hopeless = True

    @property
    def room(self) -> int:
        return max(0, HELD_BYTES - len(self.came))

    @property
    def is_for_a_thread(self) -> bool:
        """It is whole, too long to be held, or wrong already."""
        if self.has_ended and self.head_bytes:
            return True
        return self._is_hopeless or len(self.came) >= self._wanted

    def _body_bytes(self) -> int:
        """That are worth waiting for: none where the client waits for us first."""
        head = self.came[: self.head_bytes]
        found = _LENGTH.search(head)
        return int(found[1]) if found and not _EXPECT.search(head) else 0


class PatientUnreader(SocketUnreader):  # type: ignore[misc]  # gunicorn has no types
    """Reads what a thread waits for: of the body only, and never from one who is too slow.

    Only the time that is waited counts: a client is not slow because we are.
    """

    # At once: more than who reads asks for is copied at each reading, gunicorn's 1 MiB ten times.
    max_body_chunk = 128 * 1024

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self._is_in_head = True

    def begin(self, came: bytes) -> None:
        """A new request, whose head is in what came or was too long to be held."""
        self.unread(came)
        self._is_in_head = True

    def end_of_head(self) -> None:
        self._is_in_head = False
        self._received, self._waited = 0, 0.0
        self.sock.settimeout(RECEIVE_SECONDS)  # also for who takes our answer

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next bytes from the line; raises TimeoutError where they come too slowly."""
        if self._is_in_head:
            raise LimitRequestHeaders(f"no end of the headers in {HELD_BYTES} bytes")
        patience = GRACE_SECONDS + self._received / LEAST_BYTES_A_SECOND - self._waited
        if patience <= 0:
            raise TimeoutError("slow body")
        self.sock.settimeout(min(patience, RECEIVE_SECONDS))
        began = time.monotonic()
        try:
            piece: bytes = super().chunk(size_hint)
        finally:
            self._waited += time.monotonic() - began
            self.sock.settimeout(RECEIVE_SECONDS)
        self._received += len(piece)
        return piece
