"""Retry-After (RFC 9110, 10.2.3): a number of seconds, or a date."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime

SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)
LEAP_SECOND = re.compile(r"(\d\d:\d\d:)60\b", re.ASCII)  # RFC 9110, 5.6.7 has it, Python does not


def longest_retry_after(values: Iterable[str], *, at_most: int) -> int:
    """Return the longest wait of all headers: a server and a proxy may each send one.

    Somebody in between may have joined them with commas, which a date has, too.
    """
    each = [one for value in values for one in (value, *value.split(","))]
    return max((parse_retry_after(one, at_most=at_most) for one in each), default=0)


def parse_retry_after(value: str, *, at_most: int) -> int:
    """Return the seconds to wait, rounded up; 0 if empty, in the past, or invalid."""
    return math.ceil(min(max(_seconds(value.strip()), 0), at_most))


def _seconds(value: str) -> float:
    if SECONDS.fullmatch(value):
        return float(value)
    try:
        date = parsedate_to_datetime(LEAP_SECOND.sub(r"\g<1>59", value))
        # The oldest of the three forms names no zone; all are in UTC.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0
