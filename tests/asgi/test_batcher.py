"""Items are processed in batches, and each gets its own result."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from jobs.web.asgi.batcher import Batcher
from tests.asgi.both import a_loop


class Doubler:
    """Doubles numbers once `is_open` is set. Keeps the batches."""

    def __init__(self, *, max_concurrent: int = 1, max_size: int = 10) -> None:
        self.batches: list[list[int]] = []
        self.is_open = asyncio.Event()
        self.batcher = Batcher(self._process, max_concurrent=max_concurrent, max_size=max_size)

    async def _process(self, numbers: list[int]) -> list[int]:
        self.batches.append(numbers)
        await self.is_open.wait()
        if 0 in numbers:
            raise ValueError("not with 0")
        return [2 * each for each in numbers]

    async def double(self, number: int) -> int:
        return await self.batcher.submit(number)


def run(story: Coroutine[Any, Any, None]) -> None:
    with a_loop() as loop:
        asyncio.run_coroutine_threadsafe(story, loop).result(10)


async def turn() -> None:
    """Let the other tasks run."""
    for _ in range(3):
        await asyncio.sleep(0)


def test_items_of_one_turn_of_the_loop_are_one_batch() -> None:
    async def story() -> None:
        doubler = Doubler()
        doubler.is_open.set()
        assert await asyncio.gather(*map(doubler.double, (1, 2, 3))) == [2, 4, 6]
        assert await doubler.double(4) == 8
        assert doubler.batches == [[1, 2, 3], [4]]

    run(story())


def test_items_that_come_meanwhile_are_the_next_batch() -> None:
    async def story() -> None:
        doubler = Doubler(max_concurrent=2)
        waiting = []
        for number in (1, 2, 3, 4):
            waiting.append(asyncio.create_task(doubler.double(number)))
            await turn()
        assert doubler.batches == [[1], [2]]
        doubler.is_open.set()
        assert await asyncio.gather(*waiting) == [2, 4, 6, 8]
        assert doubler.batches == [[1], [2], [3, 4]]

    run(story())


def test_a_batch_is_no_larger_than_max_size() -> None:
    async def story() -> None:
        doubler = Doubler(max_size=2)
        doubler.is_open.set()
        assert await asyncio.gather(*map(doubler.double, (1, 2, 3, 4, 5))) == [2, 4, 6, 8, 10]
        assert doubler.batches == [[1, 2], [3, 4], [5]]

    run(story())


def test_an_error_is_raised_for_each_item_of_the_batch_only() -> None:
    async def story() -> None:
        doubler = Doubler()
        doubler.is_open.set()
        failed = await asyncio.gather(doubler.double(0), doubler.double(1), return_exceptions=True)
        assert [type(each) for each in failed] == [ValueError, ValueError]
        assert await doubler.double(2) == 4

    run(story())


def test_a_cancelled_item_does_not_affect_the_others() -> None:
    async def story() -> None:
        doubler = Doubler()
        cancelled, other = (asyncio.create_task(doubler.double(each)) for each in (1, 2))
        await turn()
        cancelled.cancel()
        doubler.is_open.set()
        assert await other == 4
        with pytest.raises(asyncio.CancelledError):
            await cancelled

    run(story())
