"""Servers that redirect the client. The query of the target counts the redirects."""

from __future__ import annotations

import time

from tests.hostile.content import File, Mode
from tests.hostile.exchange import Exchange, honest


def sends_to(location: str) -> Mode:
    """Redirect once: to the same path with a query, or to another address.

    {origin} and {path} are replaced by those of the request.
    """

    async def mode(exchange: Exchange) -> None:
        if exchange.request.query:
            return await honest(exchange)
        return await redirect(exchange, location)

    return mode


def hops(n: int) -> Mode:
    async def mode(exchange: Exchange) -> None:
        hop = int(exchange.request.query or 0)
        if hop >= n:
            return await honest(exchange)
        return await redirect(exchange, f"{{origin}}{{path}}?{hop + 1}")

    return mode


async def loops(exchange: Exchange) -> None:
    other = "there" if exchange.request.query == "back" else "back"
    await redirect(exchange, f"{{origin}}{{path}}?{other}")


def expires_after(seconds: float) -> Mode:
    """Redirect to an address that expires. The first address always redirects to a fresh one."""

    async def mode(exchange: Exchange) -> None:
        until, now = exchange.request.query, time.monotonic()
        if not until:
            return await redirect(exchange, f"{{origin}}{{path}}?{now + seconds}")
        if now > float(until):
            return await exchange.page(403, "<h1>Expired</h1>")
        return await honest(exchange)

    return mode


async def leads_nowhere(exchange: Exchange) -> None:
    await exchange.page(302)


async def redirect(exchange: Exchange, location: str) -> None:
    origin = f"http://{exchange.request.headers.get('host', 'localhost')}"
    place = location.format(origin=origin, path=exchange.request.path)
    await exchange.page(302, location=place)


MODES = {
    "redirect": File(misbehave=sends_to("{origin}{path}?moved")),
    "redirect-relative": File(misbehave=sends_to("?moved")),
    "redirect-to-private-address": File(misbehave=sends_to("http://10.0.0.1/secret")),
    "redirect-to-metadata": File(misbehave=sends_to("http://169.254.169.254/latest/meta-data/")),
    "redirect-to-file": File(misbehave=sends_to("file:///etc/passwd")),
    "redirect-nowhere": File(misbehave=leads_nowhere),
    "redirect-loop": File(misbehave=loops),
    "redirect-20-hops": File(misbehave=hops(20)),
    "redirect-expires": File(misbehave=expires_after(1.0)),
}
