"""A form that a Django thread reads while the event loop receives it."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from io import RawIOBase
from typing import Any

from downloads_project.web_server.bodies import ClientGone, Receive
from downloads_project.web_server.refusals import OVERLOADED, SLOW_BODY, Refusal, Refused
from downloads_project.web_server.shares import Shares


class FormStream(RawIOBase):
    """The input of a WSGI request. Raises an OSError, again and again, if the body is incomplete.

    The first read takes one of the limited `places`, so that a request refused before needs none.
    `refusal` is set if no place was free.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, receive: Receive, places: Shares, client: str
    ) -> None:
        self._loop, self._receive = loop, receive
        self._places, self._client, self._has_place = places, client, False
        self._piece = memoryview(b"")
        self._is_over = False
        self._error: OSError | None = None
        self.refusal: Refusal | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._piece and not self._is_over:
            self._read_piece()
        size = min(len(buffer), len(self._piece))
        buffer[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size

    def release(self) -> None:
        """Give the place back. The loop calls it when the response is sent."""
        if self._has_place:
            self._places.give_back(self._client, 1)

    def _read_piece(self) -> None:
        if self._error:
            raise self._error
        try:
            event = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
        except Refused as refused:
            if refused.refusal is OVERLOADED:
                self.refusal = refused.refusal
            slow = refused.refusal is SLOW_BODY
            self._error = TimeoutError("slow body") if slow else ConnectionError("broken body")
            raise self._error from refused
        except CancelledError as error:  # the process stops
            self._error = ClientGone()
            raise self._error from error
        if event["type"] == "http.disconnect":
            self._error = ClientGone("The body is incomplete.")
            raise self._error
        self._piece, self._is_over = memoryview(event["body"]), not event["more_body"]

    async def _next(self) -> Any:
        if not self._has_place:
            self._places.take(self._client, 1)
            self._has_place = True
        return await self._receive()
