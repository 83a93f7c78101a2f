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
