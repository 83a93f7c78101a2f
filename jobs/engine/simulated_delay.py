"""The message of a job during SIMULATED_DELAY_SECONDS, which makes jobs slow for demonstrations.

The worker writes it; estimates.py reads the delay from it.
"""

from __future__ import annotations

import re

SENTENCE = re.compile(r"Waiting ([0-9]{1,6}) seconds?, as the simulated delay asks")


def simulated_delay_message(seconds: float) -> str:
    """Return the message for a delay."""
    whole = round(seconds)
    return f"Waiting {whole} second{'' if whole == 1 else 's'}, as the simulated delay asks"


def simulated_delay_seconds(message: str) -> int:
    """Return the length of the simulated delay in seconds; 0 if the message is another one."""
    found = SENTENCE.fullmatch(message)
    return int(found[1]) if found else 0
