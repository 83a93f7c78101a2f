"""Each function serves the path of its name; other paths return 200."""

from __future__ import annotations

import asyncio
from typing import Any

import downloads_project.wsgi  # noqa: F401  # sets Django up, which the configuration expects
from downloads_project.web_server.bodies import bounded_body

STOPPED: list[str] = []
HEADERS = [(b"content-type", b"text/plain"), (b"X-Request-ID", b"Probe")]


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        act = ACTS.get(scope["path"], hello)
        await act(scope, receive, send)
        return
    for event in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{event}.complete"})


async def answer(send: Any, body: bytes, *more: tuple[bytes, bytes], status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [*HEADERS, *more]})
    await send({"type": "http.response.body", "body": body})


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, b"hello")


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Return the body, up to 100,000 bytes."""
    await answer(send, await bounded_body(scope, receive, 100_000))


async def unread(scope: Any, receive: Any, send: Any) -> None:
    """Respond before the body is read."""
    await answer(send, b"no", status=401)


async def scheme(scope: Any, receive: Any, send: Any) -> None:
    """Return the scheme and other fields that the server parsed."""
    parsed = [scope["scheme"], scope["path"], scope["query_string"].decode(), scope["client"][0]]
    names = sorted(name.decode() for name, _ in scope["headers"])
    await answer(send, " ".join([*parsed, *names]).encode())


async def host(scope: Any, receive: Any, send: Any) -> None:
    """Return the Host headers of the request."""
    await answer(send, b" ".join(value for name, value in scope["headers"] if name == b"host"))


async def events(scope: Any, receive: Any, send: Any) -> None:
    """Send one event at once and one when the process stops. `/left` counts clients that left."""
    scope["extensions"]["web_server"].end_with_client()
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    try:
        await scope["state"]["stopping"].wait()
    except asyncio.CancelledError:
        STOPPED.append("left")
        raise
    await send({"type": "http.response.body", "body": b"last"})


async def left(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, str(len(STOPPED)).encode())


async def some(scope: Any, receive: Any, send: Any) -> None:
    """Send as much as fits without waiting for the client."""
    await answer(send, bytes(60_000))


async def count(scope: Any, receive: Any, send: Any) -> None:
    """Return the number of open connections."""
    server = scope["extensions"]["web_server"]
    await answer(send, str(server._connection.connections.count).encode())


async def flood(scope: Any, receive: Any, send: Any) -> None:
    """Send eight megabytes in pieces."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    for _ in range(128):
        await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
    await send({"type": "http.response.body"})


async def broken(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("secret")


async def half(scope: Any, receive: Any, send: Any) -> None:
    """Raise an error in the middle of the response."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise RuntimeError("secret")


async def split(scope: Any, receive: Any, send: Any) -> None:
    """Send a header with a line break."""
    await answer(send, b"", (b"x-split", b"a\r\nSet-Cookie: secret"))


async def silent(scope: Any, receive: Any, send: Any) -> None:
    """Send no response."""


async def short(scope: Any, receive: Any, send: Any) -> None:
    """Send fewer bytes than announced."""
    await answer(send, b"ab", (b"content-length", b"3"))


async def long(scope: Any, receive: Any, send: Any) -> None:
    """Send more bytes than announced."""
    await answer(send, b"abcdef", (b"content-length", b"3"))


ACTS = {f"/{act.__name__}": act for act in (
    echo, unread, scheme, host, events, left, some, count, flood, broken, half, split, silent,
    short, long,
)}  # fmt: skip
