"""Collect what several requests need, and process it in batches.

A round trip for many items costs little more than one for a single item.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Process the items of one turn of the event loop together.

    Items that arrive while `max_concurrent` batches run form the next batch. `process` returns one
    result for each item, in the same order. If it raises, every item of the batch gets the error.
    """

    def __init__(
        self,
        process: Callable[[list[Item]], Awaitable[Sequence[Result]]],
        *,
        max_concurrent: int,
        max_size: int,
    ) -> None:
        self._process = process
        self._free = max_concurrent
        self._max_size = max_size
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself holds no reference

    @property
    def waiting(self) -> int:
        """The number of items that are in no batch yet."""
        return len(self._waiting)

    def submit(self, item: Item) -> asyncio.Future[Result]:
        """Add an item to the next batch. Returns a future for its result."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future))
        if self._free and len(self._waiting) == 1:
            self._free -= 1
            task = loop.create_task(self._run())  # starts after the callbacks that are ready now
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return future

    async def _run(self) -> None:
        """Process batch after batch until no item waits."""
        try:
            while self._waiting:
                batch = self._waiting[: self._max_size]
                del self._waiting[: self._max_size]
                await self._process_batch(batch)
        finally:
            self._free += 1

    async def _process_batch(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._process([item for item, _ in batch])
        except Exception as error:  # raised again where the result is awaited
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        else:
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():  # cancelled meanwhile
                    future.set_result(result)
