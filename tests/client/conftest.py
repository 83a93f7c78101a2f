from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.fake import Fake, serving


@pytest.fixture
def fake() -> Iterator[Fake]:
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that it would have slept; the clock advances by as much."""
    slept: list[float] = []
    monkeypatch.setattr("downloads_client.retry.time", Clock(slept))
    return slept


class Clock:
    def __init__(self, slept: list[float]) -> None:
        self._slept = slept

    def sleep(self, seconds: float) -> None:
        self._slept.append(seconds)

    def monotonic(self) -> float:
        return sum(self._slept)
