"""How long a failed job waits before its next attempt, and how often it may fail."""

from __future__ import annotations

DELAYS_SECONDS = (1, 5, 30)
MAX_LOSSES = 3  # a job whose worker dies this often fails


def backoff_seconds(failures: int) -> int | None:
    """Return seconds to wait after so many earlier failures; None: no further attempt."""
    return DELAYS_SECONDS[failures] if failures < len(DELAYS_SECONDS) else None
