"""Count the bytes to and from the store, as a sign of progress."""

from __future__ import annotations


class _Traffic:
    """Counts bytes to and from the store, by all threads of this process, as a sign of progress.

    Concurrent additions may be lost: only changes matter.
    """

    moved_bytes = 0


def traffic_bytes() -> int:
    """Return a number that grows while data is transferred."""
    return _Traffic.moved_bytes


def count_traffic(size_bytes: int) -> None:
    """Count transferred bytes."""
    _Traffic.moved_bytes += size_bytes
