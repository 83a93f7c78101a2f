"""How long a failed job waits before its next attempt, and how often it may fail."""

from __future__ import annotations

DELAYS_SECONDS = (1, 5, 30)
MAX_LOSSES = 3  # a job that takes its worker down with it this often is poison


def delay_seconds(failures: int) -> int | None:
    """Seconds before the next attempt after `failures` earlier ones; None after the last."""
    return DELAYS_SECONDS[failures] if failures < len(DELAYS_SECONDS) else None
