"""Servers that are slow, drop the connection, or send something that is not a response."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

from tests.hostile.content import File, Mode
from tests.hostile.exchange import Exchange, honest
from tests.hostile.honest import whole

MIB = 1024 * 1024
BOMB_BYTES = 1024 * MIB
ENDLESS = 10**15


async def never_answers(exchange: Exchange) -> None:
    await exchange.hang()


def starts_after(seconds: float) -> Mode:
    async def mode(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await honest(exchange)

    return mode


def stalls_at(share: float) -> Mode:
    """Send the head and this share of each response, then nothing more."""

    async def mode(exchange: Exchange) -> None:
        reply = exchange.honest()
        await exchange.head(reply)
        await exchange.body(reply, int(reply.count * share))
        await exchange.hang()

    return mode


def has_one_slow_line(which: int, rate: float) -> Mode:
    """Send the file slowly over the `which`-th connection that requests it."""

    async def mode(exchange: Exchange) -> None:
        reply = exchange.honest()
        slow = replace(reply, file=replace(reply.file, rate=rate))
        await exchange.send(slow if exchange.nth_connection == which else reply)

    return mode


def drops_at(share: float) -> Mode:
    return cuts(lambda count: int(count * share))


def drops_after(n_bytes: int) -> Mode:
    return cuts(lambda count: min(count, n_bytes))


def cuts(sent: Callable[[int], int]) -> Mode:
    """Close the connection after `sent` of the announced bytes, which may be all of them."""

    async def mode(exchange: Exchange) -> None:
        reply = exchange.honest()
        await exchange.head(reply)
        await exchange.body(reply, sent(reply.count))
        exchange.keep_alive &= sent(reply.count) == reply.count

    return mode


async def resets(exchange: Exchange) -> None:
    """Reset the connection after 60 % of each response; bytes in flight may be lost as well."""
    reply = exchange.honest()
    await exchange.head(reply)
    await exchange.body(reply, int(reply.count * 0.6))
    exchange.reset()


def says_length(change: int) -> Mode:
    """Send a Content-Length that is off by so much, then close the connection."""

    async def mode(exchange: Exchange) -> None:
        reply = exchange.honest()
        exchange.keep_alive = False
        await exchange.send(reply.but(content_length=str(max(reply.count + change, 0))))

    return mode


async def sends_until_it_closes(exchange: Exchange) -> None:
    """Send as HTTP/1.0 did: no ranges, no length."""
    reply = whole(exchange.file).but(content_length=None, accept_ranges=None)
    await exchange.head(reply, "HTTP/1.0")
    await exchange.body(reply)


async def sends_chunks(exchange: Exchange) -> None:
    reply = exchange.honest().but(content_length=None, transfer_encoding="chunked")
    await exchange.head(reply)
    await exchange.body(reply, chunked=True)
    await exchange.write(b"0\r\n\r\n")


def sends_coded(coding: str) -> Mode:
    """Send chunks with a Transfer-Encoding that not every parser recognises as chunked."""

    async def mode(exchange: Exchange) -> None:
        reply = whole(exchange.file).but(content_length=None, transfer_encoding=coding)
        exchange.keep_alive = False
        await exchange.head(reply)
        await exchange.body(reply, chunked=True)
        await exchange.write(b"0\r\n\r\n")

    return mode


async def breaks_its_head(exchange: Exchange) -> None:
    """Send a line that is not a header before the header that frames the body."""
    reply = whole(exchange.file).but(content_length=None)
    exchange.keep_alive = False
    chunked = b"this is no header\r\nTransfer-Encoding: chunked\r\n\r\n"
    await exchange.write(reply.head().removesuffix(b"\r\n") + chunked)
    await exchange.body(reply, chunked=True)
    await exchange.write(b"0\r\n\r\n")


async def cuts_chunks(exchange: Exchange) -> None:
    """Announce a longer chunk than is sent."""
    reply = exchange.honest().but(content_length=None, transfer_encoding="chunked")
    exchange.keep_alive = False
    await exchange.head(reply)
    await exchange.body(reply, reply.count // 2, chunked=True)
    await exchange.write(b"ffff\r\nnothing like it")


async def never_ends(exchange: Exchange) -> None:
    reply = whole(exchange.file).but(content_length=None, transfer_encoding="chunked")
    await exchange.head(reply)
    await exchange.body(reply, ENDLESS, chunked=True)


async def has_endless_headers(exchange: Exchange) -> None:
    await exchange.write(b"HTTP/1.1 200 OK\r\n")
    for n in count():
        await exchange.write(b"X-Header-%d: one of many\r\n" % n * 100)


async def has_a_long_header(exchange: Exchange) -> None:
    await exchange.send(exchange.honest().but(x_long="a" * 1_000_000))


def sends_first(interim: bytes, total_bytes: int = 100_000_000) -> Mode:
    """Send so many bytes of interim responses, and then the final one."""

    async def mode(exchange: Exchange) -> None:
        some = interim * 1000
        for _ in range(total_bytes // len(some)):
            await exchange.write(some)
        await honest(exchange)

    return mode


async def sends_a_bomb(exchange: Exchange) -> None:
    """Send a megabyte that decompresses to a gigabyte of zeros."""
    reply = whole(exchange.file).but(content_encoding="gzip", content_length=None)
    exchange.keep_alive = False
    await exchange.head(reply)
    await exchange.raw(bomb())


def bomb() -> Iterator[bytes]:
    """Return one gzip member. Blocks after a full flush can be repeated: one is compressed once."""
    zeros = bytes(MIB)
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed = deflate.compress(zeros) + deflate.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    yield b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    for _ in range(BOMB_BYTES // MIB):
        checksum = zlib.crc32(zeros, checksum)
        yield packed
    yield deflate.flush() + checksum.to_bytes(4, "little") + BOMB_BYTES.to_bytes(4, "little")


async def calls_a_gz_packed(exchange: Exchange) -> None:
    """Label an uncompressed .gz file with Content-Encoding, as old Apaches do."""
    await exchange.send(exchange.honest().but(content_encoding="gzip"))


async def sends_garbage(exchange: Exchange) -> None:
    exchange.keep_alive = False
    await exchange.raw([random.Random(0).randbytes(100_000)])


async def sends_a_bare_body(exchange: Exchange) -> None:
    """Send as HTTP/0.9 did: only the file."""
    exchange.keep_alive = False
    await exchange.body(whole(exchange.file))


MODES = {
    "never-answers": File(misbehave=never_answers),
    "slow-start": File(misbehave=starts_after(1.0)),
    "stalls-after-headers": File(misbehave=stalls_at(0)),
    "stalls-at-60-percent": File(misbehave=stalls_at(0.6)),
    "one-byte-a-second": File(rate=1),
    "one-slow-line": File(misbehave=has_one_slow_line(2, rate=20_000)),
    "drops-at-60-percent": File(misbehave=drops_at(0.6)),
    "drops-after-100-kB": File(misbehave=drops_after(100_000)),
    "resets-at-60-percent": File(misbehave=resets),
    "length-too-large": File(misbehave=says_length(+1000)),
    "length-too-small": File(misbehave=says_length(-1000)),
    "length-enormous": File(size=ENDLESS),
    "until-it-closes": File(misbehave=sends_until_it_closes),
    "chunked": File(misbehave=sends_chunks),
    "chunked-and-packed": File(misbehave=sends_coded("gzip, chunked")),
    "chunked-with-a-blank": File(misbehave=sends_coded("chunked ")),
    "broken-head": File(misbehave=breaks_its_head),
    "chunked-cut-off": File(misbehave=cuts_chunks),
    "endless-body": File(misbehave=never_ends),
    "endless-headers": File(misbehave=has_endless_headers),
    "long-header": File(misbehave=has_a_long_header),
    "100-MB-of-continue": File(misbehave=sends_first(b"HTTP/1.1 100 Continue\r\n\r\n")),
    "100-MB-of-early-hints": File(
        misbehave=sends_first(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
    ),
    "gzip-bomb": File(misbehave=sends_a_bomb),
    "gzip-label": File(misbehave=calls_a_gz_packed, name="file.tar.gz"),
    "garbage": File(misbehave=sends_garbage),
    "bare-body": File(misbehave=sends_a_bare_body),
}
