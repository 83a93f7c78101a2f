"""The ASGI application: native endpoints on the event loop, and Django in threads for the rest."""

from __future__ import annotations

import asyncio

from django.conf import settings

from downloads_project import gunicorn as web
from downloads_project.web_server.bodies import Receive, bounded_body
from downloads_project.web_server.bridge import Bridge, Send
from downloads_project.web_server.clients import Scope
from downloads_project.wsgi import application as django
from jobs.web.asgi.application import NativeEndpoints

bridge = Bridge(django, threads=web.threads)
native = NativeEndpoints(django, read_body=bounded_body)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        left = await native(scope, receive, send)
        if left is not None:
            await bridge(scope, left, send)
    elif scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
    else:
        raise RuntimeError(f"There is nothing for {scope['type']} here.")


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Stop the native endpoints after the last response.

    `scope["state"]["stopping"]` is an asyncio.Event that is set once the process is told to stop.
    """
    await receive()
    ending = asyncio.create_task(_end_streams(scope["state"]["stopping"]))
    await send({"type": "lifespan.startup.complete"})
    await receive()
    ending.cancel()
    native.close()
    bridge.stop()
    if settings.TRACING:
        from jobs.lib.tracing.tracer_provider import stop_tracing

        await asyncio.to_thread(stop_tracing)
    await send({"type": "lifespan.shutdown.complete"})


async def _end_streams(stopping: asyncio.Event) -> None:
    """End event streams when the process stops."""
    await stopping.wait()
    native.end_streams()
