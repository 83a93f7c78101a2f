"""A Visit to a file that is served in the test's mode."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.modes import MODES
from tests.hostile.server import Peer
from tests.hostile.visit import Visit


@pytest.fixture
def visit(mode: str) -> Iterator[Visit]:
    with Peer() as peer:
        yield Visit(peer, MODES[mode])
