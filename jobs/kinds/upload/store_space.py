"""Check the space that is left in the whole file store."""

from __future__ import annotations

from django.conf import settings

from jobs.engine.figures import store_used_bytes
from jobs.errors import StoreFull

NEARLY_FULL = 0.9  # of STORE_BYTES


def check_store_space(size_bytes: int) -> None:
    """Raises StoreFull if the store would be nearly full."""
    if not settings.STORE_BYTES:
        return
    if store_used_bytes() + size_bytes > NEARLY_FULL * settings.STORE_BYTES:
        raise StoreFull("The file store is nearly full. Try again later, or ask an operator.")
