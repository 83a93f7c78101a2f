"""Questions of several requests, asked together.

A round trip for many costs little more than one for a single request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Batches(Generic[Question, Answer]):
    """What comes in one turn of the event loop is asked together.

    So is what comes while `at_once` batches are under way. `ask` returns an answer to each
    question, in their order; what it raises, everybody in the batch gets.
    """

    def __init__(
        self,
        ask: Callable[[list[Question]], Awaitable[Sequence[Answer]]],
        *,
        at_once: int,
        max_size: int,
    ) -> None:
        self._ask = ask
        self._free = at_once
        self._max_size = max_size
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._tasks: set[asyncio.Task[None]] = set()  # the loop alone would not keep them

    @property
    def waiting(self) -> int:
        """How many questions nobody has asked yet."""
        return len(self._waiting)

    def answer(self, question: Question) -> asyncio.Future[Answer]:
        """The answer to it, once there is one."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((question, future))
        if self._free and len(self._waiting) == 1:
            self._free -= 1
            task = loop.create_task(self._run())  # it begins behind what is ready now
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return future

    async def _run(self) -> None:
        """One batch after the other, as long as somebody waits."""
        try:
            while self._waiting:
                batch = self._waiting[: self._max_size]
                del self._waiting[: self._max_size]
                await self._settle(batch)
        finally:
            self._free += 1

    async def _settle(self, batch: list[tuple[Question, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._ask([question for question, _ in batch])
        except Exception as error:  # it is for whoever asked
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():  # else whoever waited is gone
                    future.set_result(answer)
