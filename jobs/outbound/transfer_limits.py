"""Limits for what other servers send: size, time to the first byte, and speed."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty

from django.conf import settings

from jobs.errors import RemoteTooLarge, RemoteTooSlow
from jobs.lib.background_call import BackgroundCall
from jobs.outbound.remote_response import RemoteResponse

FIRST_BYTE_FACTOR = 2  # times REMOTE_SLOW_SECONDS: the limit until the headers have come


def check_transfer_size(size_bytes: int) -> None:
    """Raises RemoteTooLarge."""
    if size_bytes > settings.REMOTE_MAX_BYTES:
        most = settings.REMOTE_MAX_BYTES
        raise RemoteTooLarge(f"The file has more than {most:,} bytes, which is the limit.")


def limit_transfer_start(request: Callable[[], RemoteResponse]) -> RemoteResponse:
    """Send the request and return its response. Raises RemoteTooSlow if that takes too long.

    In a thread, because neither name resolution nor headers that trickle in have a timeout.
    """
    call = BackgroundCall(request, name="request", discard=RemoteResponse.close)
    try:
        return call.result(timeout_seconds=FIRST_BYTE_FACTOR * settings.REMOTE_SLOW_SECONDS)
    except Empty as error:
        raise RemoteTooSlow("The server took too long to respond.") from error


class LowSpeedLimit:
    """Fails a transfer that stays below REMOTE_MIN_SPEED. Only time spent waiting counts."""

    def __init__(self) -> None:
        self._waited = 0.0
        self._received = 0

    def check(self, waited_seconds: float, received_bytes: int) -> None:
        """Call it after each read. Raises RemoteTooSlow after REMOTE_SLOW_SECONDS of too little."""
        self._waited += waited_seconds
        self._received += received_bytes
        if self._waited < settings.REMOTE_SLOW_SECONDS:
            return
        if self._received < settings.REMOTE_MIN_SPEED * self._waited:
            least = settings.REMOTE_MIN_SPEED
            raise RemoteTooSlow(f"The server sent fewer than {least:,} bytes per second.")
        self._waited, self._received = 0.0, 0
