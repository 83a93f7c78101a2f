"""Questions of several requests go out together, and everybody gets their own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from jobs.asgi.batches import Batches
from tests.asgi.both import a_loop


class Server:
    """Answers with the double, when it is let; keeps what it was asked at once."""

    def __init__(self, *, at_once: int = 1, max_size: int = 10) -> None:
        self.asked: list[list[int]] = []
        self.may_answer = asyncio.Event()
        self.batches = Batches(self._answer, at_once=at_once, max_size=max_size)

    async def _answer(self, questions: list[int]) -> list[int]:
        self.asked.append(questions)
        await self.may_answer.wait()
        if 0 in questions:
            raise ValueError("not with 0")
        return [2 * each for each in questions]

    async def ask(self, question: int) -> int:
        return await self.batches.answer(question)


def run(story: Coroutine[Any, Any, None]) -> None:
    with a_loop() as loop:
        asyncio.run_coroutine_threadsafe(story, loop).result(10)


async def turn() -> None:
    """Let everybody else have a turn, and what follows from it."""
    for _ in range(3):
        await asyncio.sleep(0)


def test_what_comes_together_is_asked_together() -> None:
    async def story() -> None:
        server = Server()
        server.may_answer.set()
        assert await asyncio.gather(*map(server.ask, (1, 2, 3))) == [2, 4, 6]
        assert await server.ask(4) == 8
        assert server.asked == [[1, 2, 3], [4]]

    run(story())


def test_what_comes_meanwhile_is_the_next_batch() -> None:
    async def story() -> None:
        server = Server(at_once=2)
        waiting = []
        for question in (1, 2, 3, 4):
            waiting.append(asyncio.create_task(server.ask(question)))
            await turn()
        assert server.asked == [[1], [2]]
        server.may_answer.set()
        assert await asyncio.gather(*waiting) == [2, 4, 6, 8]
        assert server.asked == [[1], [2], [3, 4]]

    run(story())


def test_no_batch_is_larger_than_it_may_be() -> None:
    async def story() -> None:
        server = Server(max_size=2)
        server.may_answer.set()
        assert await asyncio.gather(*map(server.ask, (1, 2, 3, 4, 5))) == [2, 4, 6, 8, 10]
        assert server.asked == [[1, 2], [3, 4], [5]]

    run(story())


def test_an_error_is_for_everybody_in_the_batch_and_for_nobody_else() -> None:
    async def story() -> None:
        server = Server()
        server.may_answer.set()
        broken = await asyncio.gather(server.ask(0), server.ask(1), return_exceptions=True)
        assert [type(each) for each in broken] == [ValueError, ValueError]
        assert await server.ask(2) == 4

    run(story())


def test_who_is_gone_takes_nobody_along() -> None:
    async def story() -> None:
        server = Server()
        gone, stays = (asyncio.create_task(server.ask(each)) for each in (1, 2))
        await turn()
        gone.cancel()
        server.may_answer.set()
        assert await stays == 4
        with pytest.raises(asyncio.CancelledError):
            await gone

    run(story())
