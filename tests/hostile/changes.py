"""Files that change while they are fetched, and files without a reliable validator."""

from __future__ import annotations

import time
from dataclasses import replace

from tests.hostile.content import WEAK, File
from tests.hostile.exchange import Exchange, honest
from tests.hostile.honest import honest_reply
from tests.hostile.turns import after_requests, halfway, turning


async def changed(exchange: Exchange) -> None:
    """Serve another file from now on: If-Range is answered with 200 and the whole file."""
    await exchange.send(honest_reply(exchange.file.successor(), exchange.request))


async def changed_in_size(exchange: Exchange) -> None:
    shrunk = replace(exchange.file.successor(), size=exchange.file.size // 2)
    await exchange.send(honest_reply(shrunk, exchange.request))


async def changed_and_ignores_if_range(exchange: Exchange) -> None:
    """Send the range of the other file, with its ETag."""
    headers = {
        name: value for name, value in exchange.request.headers.items() if name != "if-range"
    }
    request = replace(exchange.request, headers=headers)
    await exchange.send(honest_reply(exchange.file.successor(), request))


async def changed_and_hides_it(exchange: Exchange) -> None:
    """Send the range of the other file, without a validator."""
    other = replace(exchange.file.successor(), etag=None, last_modified=None)
    headers = {
        name: value for name, value in exchange.request.headers.items() if name != "if-range"
    }
    await exchange.send(honest_reply(other, replace(exchange.request, headers=headers)))


async def modified_just_now(exchange: Exchange) -> None:
    """Send a Last-Modified of the same second, in which the file could change again."""
    age = time.monotonic() - exchange.tally.requests[0].at
    file = replace(exchange.file, last_modified=time.time() - age)
    await exchange.send(honest_reply(file, exchange.request))


MODES = {
    "changes": File(misbehave=turning(honest, after_requests(2), changed)),
    "changes-halfway": File(misbehave=turning(honest, halfway, changed)),
    "changes-in-size": File(misbehave=turning(honest, after_requests(2), changed_in_size)),
    "changes-unasked": File(
        misbehave=turning(honest, after_requests(2), changed_and_ignores_if_range)
    ),
    "changes-hidden": File(misbehave=turning(honest, after_requests(2), changed_and_hides_it)),
    "no-validator": File(etag=None, last_modified=None),
    "weak-etag": File(etag=WEAK, last_modified=None),
    "last-modified": File(etag=None),
    "last-modified-now": File(etag=None, misbehave=modified_just_now),
}
