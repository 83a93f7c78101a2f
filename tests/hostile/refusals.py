"""Servers that refuse, for a while or always, or send a page in place of the file."""

from __future__ import annotations

from tests.hostile.content import File, Mode
from tests.hostile.exchange import Exchange, honest
from tests.hostile.turns import after_requests, turning


def refuses(status: int, **headers: str) -> Mode:
    async def mode(exchange: Exchange) -> None:
        await exchange.page(status, f"<h1>{status}</h1>", **headers)

    return mode


def is_crowded(most: int) -> Mode:
    """Return 503 while `most` other requests are being served."""

    async def mode(exchange: Exchange) -> None:
        crowded = exchange.tally.under_way > most
        await (busy if crowded else honest)(exchange)

    return mode


async def sends_a_page(exchange: Exchange) -> None:
    """Send an error page with status 200."""
    await exchange.page(200, "<html><h1>Something went wrong</h1></html>")


busy = refuses(503, retry_after="1")

MODES = {
    "busy-twice": File(misbehave=turning(busy, after_requests(2), honest)),
    "busy": File(misbehave=busy),
    "busy-for-a-day": File(misbehave=refuses(503, retry_after="86400")),
    "crowded": File(misbehave=is_crowded(2)),
    "too-many-requests": File(misbehave=refuses(429, retry_after="1")),
    "broken": File(misbehave=refuses(500)),
    "not-found": File(misbehave=refuses(404)),
    "forbidden-midway": File(misbehave=turning(honest, after_requests(2), refuses(403))),
    "error-page": File(misbehave=sends_a_page, name="file.zip"),
    "error-page-midway": File(
        misbehave=turning(honest, after_requests(2), sends_a_page), name="file.zip"
    ),
}
