"""Modes that change during a test, from correct to wrong or the other way round."""

from __future__ import annotations

from collections.abc import Callable

from tests.hostile.content import Mode
from tests.hostile.exchange import Exchange

When = Callable[[Exchange], bool]


def turning(first: Mode, when: When, then: Mode) -> Mode:
    """Use `first` until `when` is true for a request. Running responses do not change."""

    async def mode(exchange: Exchange) -> None:
        await (then if when(exchange) else first)(exchange)

    return mode


def after_requests(n: int) -> When:
    return lambda exchange: exchange.nth > n


def after_bytes(n: int) -> When:
    return lambda exchange: exchange.tally.body_bytes >= n


def halfway(exchange: Exchange) -> bool:
    return exchange.tally.body_bytes >= exchange.file.size // 2
