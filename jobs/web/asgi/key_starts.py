"""Look up the API keys that start jobs: those of simultaneous requests in one statement."""

from __future__ import annotations

import math
from typing import NamedTuple

from jobs.terms import Terms
from jobs.web.asgi.batcher import Batcher
from jobs.web.asgi.callers import Caller, password_digest
from jobs.web.asgi.postgres import PostgresPipeline
from jobs.web.asgi.postgres_commands import (
    PostgresUnavailable,
    Row,
    StatementFailed,
    command_rows,
    postgres_array,
)

KEY_START = b"key_start"
MAX_BATCH = 100


class KeyStart(NamedTuple):
    """The owner of a key, and the terms of the jobs that it starts."""

    caller: Caller
    terms: Terms


class KeyStarts:
    """Looks keys up over a pipeline that has prepared KEY_START."""

    def __init__(self, pipeline: PostgresPipeline) -> None:
        self._pipeline = pipeline
        self._batcher = Batcher(self._find, max_concurrent=1, max_size=MAX_BATCH)

    async def find(self, digest: str) -> KeyStart | None:
        """Return None, so that Django answers, unless the key is valid and may start jobs."""
        try:
            row = await self._batcher.submit(digest)
        except (PostgresUnavailable, StatementFailed):
            return None
        if row is None:
            return None
        owner_id, password, prefix, webhook = [(value or b"").decode() for value in row]
        caller = Caller(int(owner_id), password_digest(password), math.inf, digest)
        terms = Terms(priority=None, email=None, webhook=webhook or None, api_key=prefix)
        return KeyStart(caller, terms)

    async def _find(self, digests: list[str]) -> list[Row | None]:
        wanted = postgres_array([each.encode() for each in dict.fromkeys(digests)])
        rows = command_rows(await self._pipeline.fetch(KEY_START, wanted))
        by_digest = {(row[0] or b"").decode(): row[1:] for row in rows}
        return [by_digest.get(digest) for digest in digests]
