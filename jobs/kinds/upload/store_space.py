"""Check the space that is left in the whole file store."""

from __future__ import annotations

import time

from django.conf import settings

from jobs.errors import StoreFull
from jobs.models import IncomingUpload, StoredFile

NEARLY_FULL = 0.9  # of STORE_BYTES
MEASURED_SECONDS = 60  # for which the sum of all files is cached

_measured = (-float(MEASURED_SECONDS), 0)


def check_store_space(size_bytes: int) -> None:
    """Raises StoreFull if the store would be nearly full."""
    global _measured
    if not settings.STORE_BYTES:
        return
    at, used = _measured
    if time.monotonic() - at > MEASURED_SECONDS:
        used = StoredFile.objects.all().bytes() + IncomingUpload.objects.bytes()
        _measured = time.monotonic(), used
    if used + size_bytes > NEARLY_FULL * settings.STORE_BYTES:
        raise StoreFull("The file store is nearly full. Try again later, or ask an operator.")
