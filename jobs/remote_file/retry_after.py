"""Retry-After (RFC 9110, 10.2.3): a number of seconds, or a date."""

from __future__ import annotations

import math
import re
import time
from datetime import UTC
from email.utils import parsedate_to_datetime

SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)


def seconds_of(value: str, *, at_most: int) -> int:
    """Return the seconds to wait, rounded up; 0 if empty, in the past, or invalid."""
    return math.ceil(min(max(_seconds(value.strip()), 0), at_most))


def _seconds(value: str) -> float:
    if SECONDS.fullmatch(value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
        # The oldest of the three forms names no zone; all are in UTC.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0
