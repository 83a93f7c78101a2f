"""Send one request to both the native endpoints and Django."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application
from django.test import Client
from rest_framework_simplejwt.tokens import AccessToken

from jobs.web.asgi.application import NativeEndpoints

Headers = dict[str, str]
RUN_SECONDS = 60


@dataclass
class Response:
    status: int
    headers: Headers
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass
class Native:
    """The native endpoints of one web process."""

    loop: asyncio.AbstractEventLoop
    endpoints: NativeEndpoints
    client: tuple[str, int] = ("127.0.0.1", 50_000)

    def run(self, awaitable: Awaitable[Any]) -> Any:
        async def story() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(story(), self.loop).result(RUN_SECONDS)

    def request(
        self, path: str, *, method: str = "GET", body: bytes = b"", query: str = "", **headers: str
    ) -> Response | None:
        """Return the response, or None if the request is left to Django."""
        return self.run(self.arequest(path, method=method, body=body, query=query, **headers))

    async def arequest(
        self, path: str, *, method: str = "GET", body: bytes = b"", query: str = "", **headers: str
    ) -> Response | None:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = self.scope(path, method, query, headers)
        if await self.endpoints(scope, receive, send):
            assert not sent
            return None
        start, *rest = sent
        found = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        return Response(start["status"], found, b"".join(each["body"] for each in rest))

    def scope(self, path: str, method: str, query: str, headers: Headers) -> dict[str, Any]:
        named = {"host": "localhost"} | headers
        return {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "scheme": "http",
            "client": self.client,
            "state": {},
            "headers": [
                (name.replace("_", "-").encode(), value.encode("latin-1"))
                for name, value in named.items()
            ],
        }


@contextmanager
def a_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a separate thread, as Playwright's may run in that of the tests."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def serving() -> Iterator[Native]:
    with a_loop() as loop:
        native = Native(loop, NativeEndpoints(get_wsgi_application(), read_body=_read_body))
        try:
            yield native
        finally:
            native.run(_close(native.endpoints))


async def until(is_so: Callable[[], object]) -> None:
    """Wait until the condition holds, or fail."""
    with suppress(TimeoutError):
        async with asyncio.timeout(20):
            while not is_so():
                await asyncio.sleep(0.02)
    assert is_so()


async def _read_body(scope: Any, receive: Any, max_bytes: int) -> bytes:
    return bytes((await receive())["body"])


async def _close(endpoints: NativeEndpoints) -> None:
    endpoints.close()
    while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=1)


def ask_django(path: str, *, method: str = "GET", **headers: str) -> Response:
    """Send the same request to Django."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = Client().generic(method, path, headers={"host": "localhost"} | named)
    lower = {name.lower(): value for name, value in found.items()}
    return Response(found.status_code, lower, found.content)


def bearer(user: User) -> str:
    return f"Bearer {AccessToken.for_user(user)}"
