"""A connection of the event loop that the server closes is replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from jobs.web.asgi import postgres
from jobs.web.asgi.postgres import PostgresPipeline
from tests.asgi.both import a_loop, until

PID = b"pid"
pytestmark = pytest.mark.django_db(transaction=True)


class Desk:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.errors: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self.pipeline = PostgresPipeline({PID: "SELECT pg_backend_pid()"})

    def run(self, awaitable: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(awaitable, self.loop).result(20)

    async def pid(self) -> int:
        return int((await self.pipeline.fetch(PID)).get_value(0, 0) or 0)

    async def close(self) -> None:
        self.pipeline.close()


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(postgres, "PAUSE_SECONDS", 0)
    with a_loop() as loop:
        made = Desk(loop)
        yield made
        made.run(made.close())


def test_the_connection_is_opened_again_when_the_server_has_closed_it(desk: Desk) -> None:
    """The new one often has the file descriptor of the old one."""
    pids = set()
    for _ in range(3):
        pid = desk.run(desk.pid())
        pids.add(pid)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        desk.run(until(lambda: desk.pipeline._connection is None))

    assert len(pids) == 3
    assert not desk.errors
