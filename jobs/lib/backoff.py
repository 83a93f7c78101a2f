"""How long a failed job waits before its next attempt, and how often it may fail."""

from __future__ import annotations

from collections.abc import Sequence

DELAYS_SECONDS = (1, 5, 30)  # unless a kind has others
MAX_LOSSES = 3  # a job whose worker dies this often fails


def backoff_seconds(failures: int, delays: Sequence[int]) -> int | None:
    """Return seconds to wait after so many earlier failures; None: no further attempt."""
    return delays[failures] if failures < len(delays) else None
