"""How text, sizes and durations are shown in a terminal."""

from __future__ import annotations

import math
from datetime import datetime

from jobs.lib.names import MISLEADING

MAX_SHOWN = 300  # of a text that somebody else wrote
# What the service does with a job of a kind, and has done in the end. Fetching is what we do.
PHASES = {"remote": ("Storing", "Stored")}
OTHER_PHASES = ("Making", "Made")


def printable(text: str) -> str:
    """On one line, and without what could move the cursor, ring, or turn the reading direction."""
    shown = MISLEADING.sub("\N{REPLACEMENT CHARACTER}", text)
    return shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 1] + "…"


def size(count: float) -> str:
    """'14.2 MB': decimal units, as the pages say it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.95 or (unit == "B" and count < 1000):
            break
        count /= 1000
    else:
        unit = "TB"
    return f"{count:.0f} {unit}" if unit in ("B", "kB") else f"{count:.1f} {unit}"


def size_of(count: int, total: int | None, unit: str = "bytes") -> str:
    """'3.1 MB of 14.2 MB', '3 of 7 pages'."""
    if unit != "bytes":
        return f"{count:,} of {total:,} {unit}" if total else f"{count:,} {unit}"
    return f"{size(count)} of {size(total)}" if total else size(count)


def clock(seconds: float) -> str:
    """'0:42', '1:02:03'."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float) -> str:
    """'3.8 s', '42 s', '12:05'."""
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"


def moment(at: datetime) -> str:
    """'06:00 on 23 November (UTC)', in its own zone."""
    return f"{at:%H:%M} on {at.day} {at:%B} ({at:%Z})"


def waiting(others: int, at: datetime | None) -> str:
    """'Waits for 2 others', 'Starts at 06:00 on 23 November (UTC)'."""
    if not others:
        return f"Starts at {moment(at)}" if at else ""
    waits = f"Waits for {others:,} {'other' if others == 1 else 'others'}"
    return f"{waits}, and for {moment(at)}" if at else waits


def connections(count: int) -> str:
    return "1 connection" if count == 1 else f"{count} connections"


def files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def bundled(file_count: int, job_count: int) -> str:
    """'3 files', 'what 2 downloads made', '1 file and what 1 download made'."""
    if not job_count:
        return files(file_count)
    made = f"what {job_count:,} {'download' if job_count == 1 else 'downloads'} made"
    return f"{files(file_count)} and {made}" if file_count else made
