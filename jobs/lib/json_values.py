"""JSON values that the database can store."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_JSON_BYTES = 16 * 1024
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def stored_json_value(value: Any, what: str) -> Any:
    """Return the value as it is read back from the database, such as a tuple as a list.

    Raises TypeError for what is not JSON, ValueError for NaN, for text that Postgres cannot store,
    and for more than MAX_JSON_BYTES. `what` is the subject of the message.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        size_bytes = len(text.encode())
    except TypeError as error:
        raise TypeError(f"{what} is not JSON: {error}") from error
    except ValueError as error:  # NaN, or half of a surrogate pair
        raise ValueError(f"{what} is not JSON: {error}") from error
    if NUL.search(text):
        raise ValueError(f"{what} has a NUL character.")
    if size_bytes > MAX_JSON_BYTES:
        raise ValueError(f"{what} has {size_bytes:,} bytes as JSON, over {MAX_JSON_BYTES:,}.")
    return json.loads(text)
