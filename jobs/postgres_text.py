"""Values as Postgres writes them in text: for whoever speaks to it by libpq. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

Text = str | None


def encode(value: Any) -> Text:
    match value:
        case None:
            return None
        case bool():
            return "t" if value else "f"
        case dict():
            return json.dumps(value)
        case datetime():
            return value.isoformat()
        case str() | int() | UUID():
            return str(value)
        case _:  # of numbers or ids: nothing in it needs a quote
            return "{" + ",".join(map(str, value)) + "}"


def _is_true(text: str) -> bool:
    return text == "t"


# By the name of a job's column; what is not here is text. Moments are ISO, as TimeZone has them.
_DECODERS: dict[str, Callable[[str], Any]] = {
    "id": UUID,
    "progress": float,
    **dict.fromkeys(["held", "email"], _is_true),
    **dict.fromkeys(["params", "checkpoint", "metadata"], json.loads),
    **dict.fromkeys(
        ["owner_id", "priority", "attempt", "failures", "losses", "version", "done", "total",
         "speed", "threads", "artifact_id"], int,
    ),
    **dict.fromkeys(
        ["run_at", "available_at", "published_at", "lease_until", "created_at", "started_at",
         "updated_at", "finished_at", "expires_at", "collect_at"], datetime.fromisoformat,
    ),
}  # fmt: skip


def decode(columns: Sequence[str], values: Sequence[bytes | None]) -> list[Any]:
    """The values of a job's columns."""
    return [
        None if value is None else _DECODERS.get(column, str)(value.decode())
        for column, value in zip(columns, values, strict=True)
    ]
