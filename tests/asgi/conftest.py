"""The native endpoints of one web process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.asgi.both import Native


@pytest.fixture
def native(transactional_db: None) -> Iterator[Native]:
    from tests.asgi.both import serving

    with serving() as found:
        yield found


@pytest.fixture
def queue_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both sides know nothing about the queue, whichever answers first."""
    from jobs.engine.queue_snapshot import CACHE

    monkeypatch.setattr(CACHE, "take_refresh", lambda: False)
