"""A wait before the work, to try out what is slow: what a job says of it, and how long it lasts.

A worker writes the sentence; whoever estimates when the job is ready reads it.
"""

from __future__ import annotations

import re

SENTENCE = re.compile(r"Waiting ([0-9]{1,6}) seconds?, as the simulated delay asks")


def sentence(seconds: float) -> str:
    whole = round(seconds)
    return f"Waiting {whole} second{'' if whole == 1 else 's'}, as the simulated delay asks"


def seconds_in(message: str) -> int:
    """Return the length of the simulated delay in seconds; 0 if the message is another one."""
    found = SENTENCE.fullmatch(message)
    return int(found[1]) if found else 0
