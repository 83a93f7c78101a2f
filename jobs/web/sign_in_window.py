"""Count attempts to sign in while Redis does not respond, in the memory of each web process.

Operators can sign in during an outage, and guessing stays bounded: fewer guesses than with Redis
(RATE_SIGN_IN), also with several processes. A device that signed in to the account before is
counted by itself, so that somebody who guesses does not lock it out.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from threading import Lock

WINDOW_SECONDS = 60.0
MOST_EACH = 3  # attempts in a window for an account, or for a known device
MOST_UNKNOWN, MOST_KNOWN = 10, 100  # for all accounts from unknown devices; for all known devices


class AttemptWindow:
    """The attempts of the last WINDOW_SECONDS: at most `most` of them are remembered."""

    def __init__(self, *, most_each: int, most: int) -> None:
        self._most_each, self._most = most_each, most
        self._attempts: deque[tuple[float, str]] = deque()
        self._lock = Lock()

    def wait_seconds(self, name: str) -> float:
        """Count an attempt and return 0; or return the seconds until the next one is allowed."""
        with self._lock:
            now = time.monotonic()
            while self._attempts and self._attempts[0][0] <= now - WINDOW_SECONDS:
                self._attempts.popleft()
            own = [at for at, other in self._attempts if other == name]
            everyone = [at for at, _ in self._attempts]
            for attempts, most in ((own, self._most_each), (everyone, self._most)):
                if len(attempts) >= most:
                    return attempts[-most] + WINDOW_SECONDS - now
            self._attempts.append((now, name))
            return 0.0

    def clear(self) -> None:
        with self._lock:
            self._attempts.clear()


unknown_devices = AttemptWindow(most_each=MOST_EACH, most=MOST_UNKNOWN)
known_devices = AttemptWindow(most_each=MOST_EACH, most=MOST_KNOWN)


def sign_in_wait_seconds(callers: Mapping[str, str]) -> float:
    """Count an attempt; `callers` are those of throttle_sign_in. See `wait_seconds`."""
    if device := callers.get("device"):
        return known_devices.wait_seconds(device)
    return unknown_devices.wait_seconds(callers["account"])
