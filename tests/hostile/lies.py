"""Servers that handle ranges wrongly, or not at all.

A 206 with the right headers and the bytes of another range is left out: no client could detect it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.hostile.content import File, Mode
from tests.hostile.exchange import Exchange, honest
from tests.hostile.honest import Reply, part, whole
from tests.hostile.turns import after_requests, turning


def lies(change: Callable[[Reply], Reply]) -> Mode:
    """Apply `change` to each 206; other replies stay as they are."""

    async def mode(exchange: Exchange) -> None:
        reply = exchange.honest()
        await exchange.send(change(reply) if reply.status == 206 else reply)

    return mode


def says(change: Callable[[Reply], str | None]) -> Mode:
    """Send another Content-Range with the right bytes."""
    return lies(lambda reply: reply.but(content_range=change(reply)))


async def has_no_ranges(exchange: Exchange) -> None:
    await exchange.send(whole(exchange.file).but(accept_ranges="none"))


async def ignores_ranges(exchange: Exchange) -> None:
    await exchange.send(whole(exchange.file))


async def sends_a_part_unrequested(exchange: Exchange) -> None:
    """Send the first half if the whole file is requested; ranges correctly."""
    reply = exchange.honest()
    half = part(exchange.file, 0, exchange.file.size // 2 - 1)
    await exchange.send(half if reply.status == 200 else reply)


async def sends_multipart(exchange: Exchange) -> None:
    """Send a single range as multipart/byteranges, which is for several."""
    reply = exchange.honest()
    if reply.status != 206:
        return await exchange.send(reply)
    content_range = reply.headers["Content-Range"]
    before = f"--edge\r\nContent-Range: {content_range}\r\n\r\n".encode()
    after = b"\r\n--edge--\r\n"
    length = len(before) + reply.count + len(after)
    multipart = reply.but(content_range=None, content_type="multipart/byteranges; boundary=edge")
    await exchange.head(multipart.but(content_length=str(length)))
    await exchange.raw([before])
    await exchange.body(reply)
    return await exchange.raw([after])


async def refuses_ranges(exchange: Exchange) -> None:
    """Refuse every range as beyond the end of a file of 7 bytes; without one send the file."""
    if exchange.honest().status == 200:
        return await honest(exchange)
    return await exchange.page(416, content_range="bytes */7")


def shorter(reply: Reply) -> Reply:
    """Send half of the requested range, correctly labelled: a server may do so."""
    return part(reply.file, reply.first, reply.first + max(reply.count // 2, 1) - 1)


def shorter_than_it_says(reply: Reply) -> Reply:
    half = reply.count // 2
    return replace(reply, count=half).but(content_length=str(half))


def shifted(reply: Reply) -> str:
    return f"bytes {reply.first + 1}-{reply.last + 1}/{reply.file.size}"


def of_another_total(reply: Reply) -> str:
    return f"bytes {reply.first}-{reply.last}/{reply.file.size + 1}"


def of_unknown_total(reply: Reply) -> str:
    """As RFC 9110 allows."""
    return f"bytes {reply.first}-{reply.last}/*"


MODES = {
    "no-ranges": File(misbehave=has_no_ranges),
    "claims-ranges": File(misbehave=ignores_ranges),
    "ranges-once": File(misbehave=turning(honest, after_requests(1), ignores_ranges)),
    "range-shifted": File(misbehave=says(shifted)),
    "range-of-another-total": File(misbehave=says(of_another_total)),
    "range-of-unknown-total": File(misbehave=says(of_unknown_total)),
    "range-unsaid": File(misbehave=says(lambda reply: None)),
    "range-nonsense": File(misbehave=says(lambda reply: "bytes many-more/all")),
    "range-shorter": File(misbehave=lies(shorter)),
    "range-shorter-than-said": File(misbehave=lies(shorter_than_it_says)),
    "range-as-multipart": File(misbehave=sends_multipart),
    "range-unasked": File(misbehave=sends_a_part_unrequested),
    "range-refused": File(misbehave=refuses_ranges),
}
