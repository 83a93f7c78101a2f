"""What gunicorn serves: Django, in threads, behind what the event loop answers by itself."""

from __future__ import annotations

from downloads_project import gunicorn as web
from downloads_project.web_server.bodies import Receive
from downloads_project.web_server.bridge import Bridge, Send
from downloads_project.web_server.clients import Scope
from downloads_project.wsgi import application as django

bridge = Bridge(django, threads=web.threads)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await bridge(scope, receive, send)
    elif scope["type"] == "lifespan":
        await lifespan(receive, send)
    else:
        raise RuntimeError(f"There is nothing for {scope['type']} here.")


async def lifespan(receive: Receive, send: Send) -> None:
    """Start what answers on the event loop, and stop it when the last response is out.

    `scope["state"]["stopping"]` is an asyncio.Event that is set once the process is told to stop.
    """
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    bridge.stop()
    await send({"type": "lifespan.shutdown.complete"})
