"""The access token, which the threads of an upload share."""

from __future__ import annotations

import threading
import time

# It is valid for 15 minutes. A large form must not be sent with a token that is about to expire.
RENEW_SECONDS = 10 * 60


class AccessToken:
    """Empty before the first sign-in. Hold `lock` to replace it."""

    def __init__(self) -> None:
        self.value = ""
        self.lock = threading.Lock()
        self._since = 0.0

    @property
    def is_old(self) -> bool:
        return not self.value or time.monotonic() - self._since > RENEW_SECONDS

    def replace(self, value: str) -> None:
        self.value, self._since = value, time.monotonic()
