"""Records when API keys are used: a thread does it, at most once a minute for each key."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from jobs.lib.database import DATABASE_UNAVAILABLE, release_database_connection
from jobs.models import ApiKey
from jobs.models.api_key import USE_RECORDED_EVERY

MAX_KNOWN = 10_000  # keys


class KeyUses:
    """The uses of this process. Another may have recorded the same key: see `record_use`."""

    def __init__(self) -> None:
        self._recorded_at: dict[str, float] = {}
        self._thread = ThreadPoolExecutor(1, "key-uses")

    def record(self, digest: str) -> None:
        """Record that the key is used now. Does not wait for the database."""
        now, last = time.monotonic(), self._recorded_at.get(digest)
        if last is not None and now < last + USE_RECORDED_EVERY.total_seconds():
            return
        if len(self._recorded_at) >= MAX_KNOWN:
            self._recorded_at.clear()
        self._recorded_at[digest] = now
        self._thread.submit(self._record, digest)

    def _record(self, digest: str) -> None:
        try:
            ApiKey.objects.all().record_use(digest)
        except DATABASE_UNAVAILABLE:
            self._recorded_at.pop(digest, None)  # the next use is recorded
        release_database_connection()


KEY_USES = KeyUses()
