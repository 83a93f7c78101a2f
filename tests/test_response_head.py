"""Response headers as real servers send them: the right bytes, or a clear error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jobs.errors import RemoteEncoded, RemoteError, RemoteUnavailable
from jobs.outbound import RemoteFile
from jobs.outbound.response_head import MAX_HEAD_BYTES
from tests.hostile.content import File, Mode, content
from tests.hostile.exchange import Exchange
from tests.hostile.server import Peer

SIZE = 1_000
BODY = content(1, 0, SIZE)
OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 1000\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"3e8\r\n" + BODY + b"\r\n0\r\n\r\n"


@pytest.fixture
def peer(settings: Any) -> Iterator[Peer]:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = ["127.0.0.1"]
    with Peer() as peer:
        yield peer


def writes(*pieces: bytes) -> Mode:
    """Send these bytes only, and close the connection."""

    async def mode(exchange: Exchange) -> None:
        exchange.keep_alive = False
        for piece in pieces:
            await exchange.write(piece)

    return mode


def fetched(peer: Peer, *pieces: bytes) -> bytes:
    url = peer.serve("/file", File(misbehave=writes(*pieces)))
    remote = RemoteFile(url, connections=1)
    try:
        answer = remote.whole()
        return b"".join(iter(answer.read, b""))
    finally:
        remote.close()


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" * 5,
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n",
        b"HTTP/1.1 103\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.0 199 Whatever\n\n",
        b"HTTP/1.1 100 \r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n",
    ],
)
def test_interim_responses_are_skipped(peer: Peer, interim: bytes) -> None:
    assert fetched(peer, interim + OK + LENGTH + b"\r\n" + BODY) == BODY


@pytest.mark.parametrize(
    "lines",
    [
        b"My Param: None\r\n",
        b"Name : x\r\n",
        b": no name\r\n",
        b"no colon\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b" a blank before it: 1\r\n",
        b"\xff\xfe: 1\r\n",
        b"X-Nul: a\x00b\r\n",
        b"X\x00: nul\r\n",
        b"X-Return: a\rb\r\n",
        b"X-Long:\r\n one\r\n\ttwo\r\n",
        b"X-Empty:\r\n",
        b"no colon\r\n continued\r\n",
        b"".join(b"X-H-%d: v\r\n" % n for n in range(1_000)),
        b"X-Huge: " + b"a" * 100_000 + b"\r\n",
        b"X-Bare: line end\n",
    ],
)
def test_a_malformed_line_is_ignored_but_not_later_ones(peer: Peer, lines: bytes) -> None:
    assert fetched(peer, OK + lines + LENGTH + b"\r\n" + BODY) == BODY
    assert fetched(peer, OK + lines + CHUNKED + b"\r\n" + CHUNKS) == BODY


@pytest.mark.parametrize(
    "framing",
    [
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: Chunked \r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding:\tchunked\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
        b"Transfer-Encoding: identity, chunked\r\n",
        b"Transfer-Encoding: binary, chunked\r\n",
        b"Transfer-Encoding: identity\r\nTransfer-Encoding: , chunked,\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: nonsense\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_chunks_are_read_however_announced(peer: Peer, framing: bytes) -> None:
    assert fetched(peer, OK + framing + b"\r\n" + CHUNKS) == BODY


@pytest.mark.parametrize(
    "chunks",
    [
        b"3E8\r\n%b\r\n0\r\n\r\n",
        b"000003e8\r\n%b\r\n0000\r\n\r\n",
        b"3e8  \r\n%b\r\n0 \r\n\r\n",
        b'3e8;a=1;b="x y"\r\n%b\r\n0;last\r\n\r\n',
        b"3e8 ; a=" + b"x" * 10_000 + b"\r\n%b\r\n0\r\n\r\n",
        b"3e8\n%b\n0\n\n",
        b"3e8\n%b\r\n0\r\n\n",
        b"3e8\r\n%b\r\n0\r\nX-Sum: 1\r\nno colon\r\n\r\n",
        b"3e8\r\n%b\r\n0\r\n" + b"X: y\r\n" * 1_000 + b"\r\n",
        b"3e8\r\n%b\r\n0\r\n",
    ],
)
def test_chunks_are_read_with_any_valid_lines(peer: Peer, chunks: bytes) -> None:
    assert fetched(peer, OK + CHUNKED + b"\r\n" + chunks.replace(b"%b", BODY)) == BODY


@pytest.mark.parametrize(
    "after",
    [
        b"\r\n",
        b"\r\n0",
        b"\r\n00",  # of 0002000, a truncated size
        b"\r\n0;",
        b"\r\n\r\n",
        b"\r\n-5\r\n",
        b"\r\n0x0\r\n\r\n",
        b"\r\n+0\r\n\r\n",
        b"\r\n0_0\r\n\r\n",
        b"\r\nnonsense\r\n\r\n",
        b"\r\n0;" + b"x" * 100_000 + b"\r\n\r\n",
        b"more0\r\n\r\n",
        b"",
    ],
)
def test_ambiguous_chunks_are_an_error(peer: Peer, after: bytes) -> None:
    with pytest.raises(RemoteUnavailable, match=r"127\.0\.0\.1 closed the connection early\."):
        fetched(peer, OK + CHUNKED + b"\r\n3e8\r\n" + BODY + after)


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 1000\r\nContent-Length: 1000\r\n",
        b"Content-Length: 1000, 1000\r\n",
        b"Content-Length: 001000\r\n",
        b"Content-Length : 1000\r\n",
        b"Content-Length: 1000\r\nTransfer-Encoding: identity\r\n",
        b"Content-Length: 1000\r\nTransfer-Encoding: binary\r\n",
        b"Transfer-Encoding: None\r\n",
        b"Transfer-Encoding: 8bit, identity\r\n",
        b"Content-Length:\r\n",
        b"",
    ],
)
def test_a_plain_body_is_read_to_its_end(peer: Peer, framing: bytes) -> None:
    assert fetched(peer, OK + framing + b"\r\n" + BODY) == BODY


@pytest.mark.parametrize(
    "framing",
    [
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b'Transfer-Encoding: "chunked"\r\n',
        b"Transfer-Encoding: chunked;q=1\r\n",
    ],
)
def test_an_unsupported_transfer_coding_is_an_error(peer: Peer, framing: bytes) -> None:
    with pytest.raises(RemoteEncoded):
        fetched(peer, OK + framing + b"\r\n" + CHUNKS)


@pytest.mark.parametrize(
    "head",
    [
        OK + b"Content-Length: 1000\r\nContent-Length: 5\r\n\r\n",
        OK + b"Content-Length: 1_000\r\n\r\n",
        OK + b"Content-Length: +1000\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 1000 bytes\r\n\r\n",
        OK + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
        OK + b"Transfer Encoding: chunked\r\n\r\n",
        OK + b"Transfer-Encoding\r\n\r\n",
        OK + b" Transfer-Encoding: chunked\r\n\r\n",
        OK + b"\xef\xbb\xbfTransfer-Encoding: chunked\r\n\r\n",
        OK + b"Content-Length\x00: 5\r\n\r\n",
        OK + b"X-Huge: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n",
        OK + b"X-Many: v\r\n" * (MAX_HEAD_BYTES // 11) + b"\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * (MAX_HEAD_BYTES // 28 + 1),
        b"HTTP/9.1 200 OK\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 " + b"a" * 70_000 + b"\r\n\r\n",
        b"220 mail.example ESMTP\r\n",
        b" HTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n",
        b"\tHTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n",
        b"\x0b\x0cHTTP/1.0 200\n\n",
        b"\r\n HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_an_ambiguous_header_is_an_error(peer: Peer, head: bytes) -> None:
    with pytest.raises(RemoteUnavailable) as refused:
        fetched(peer, head, BODY)

    assert str(refused.value) == "127.0.0.1 sent an invalid HTTP response."


@pytest.mark.parametrize(
    "head", [b"", OK, OK + b"X-A: 1\r\n", OK + LENGTH, OK + b"X-Cut: of", b"HTTP/1.1 100 \r\n\r\n"]
)
def test_a_truncated_header_is_not_an_empty_file(peer: Peer, head: bytes) -> None:
    with pytest.raises(RemoteUnavailable, match=r"127\.0\.0\.1 closed the connection early\."):
        fetched(peer, head)


@pytest.mark.parametrize(
    "status", [b"200 OK", b"200", b"201 Created", b"203 Other", b"226", b"299"]
)
def test_some_other_2xx_statuses_have_the_file(peer: Peer, status: bytes) -> None:
    assert fetched(peer, b"HTTP/1.1 " + status + b"\r\n" + LENGTH + b"\r\n" + BODY) == BODY


@pytest.mark.parametrize("status", [202, 204, 205, 207, 208])
def test_2xx_statuses_without_a_file_are_errors(peer: Peer, status: int) -> None:
    with pytest.raises(RemoteUnavailable, match=rf"returned {status}"):
        fetched(peer, b"HTTP/1.1 %d X\r\n" % status + LENGTH + b"\r\n" + BODY)


@pytest.mark.parametrize(
    "codings",
    [
        b"Content-Encoding: aws-chunked\r\n",
        b"Content-Encoding: UTF-8\r\n",
        b"Content-Encoding: Identity\r\n",
        b"Content-Encoding: identity, aws-chunked\r\n",
        b"Content-Encoding: none\r\nContent-Encoding: binary\r\n",
        b"Content-Encoding:\r\n",
        b"Content-Encoding: ,\r\n",
        b"Content-Encoding: bzip2\r\n",
        b"Content-Encoding: base64\r\n",
    ],
)
def test_identity_codings_are_ignored(peer: Peer, codings: bytes) -> None:
    assert fetched(peer, OK + LENGTH + codings + b"\r\n" + BODY) == BODY


@pytest.mark.parametrize(
    "coding",
    ["gzip", "X-GZip", "deflate", "compress", "br", "zstd", "aws-chunked, gzip", "gzip;q=1"],
)
def test_a_content_coding_is_refused(peer: Peer, coding: str) -> None:
    with pytest.raises(RemoteEncoded):
        fetched(peer, OK + LENGTH + f"Content-Encoding: {coding}\r\n\r\n".encode() + BODY)


@pytest.mark.parametrize(
    ("coding", "says"),
    [
        ("gzip", "Content-Type: application/gzip"),
        ("x-gzip", "Content-Type: Application/X-GZip; a=b"),
        ("gzip", 'Content-Disposition: attachment; filename="a.tar.gz"'),
        ("br", "Content-Disposition: attachment; filename*=UTF-8''a.js.br"),
        ("zstd", "Content-Type: application/zstd"),
    ],
)
def test_a_compressed_file_with_a_redundant_coding_is_stored(
    peer: Peer, coding: str, says: str
) -> None:
    lines = f"Content-Encoding: {coding}\r\n{says}\r\n\r\n".encode()

    assert fetched(peer, OK + LENGTH + lines + BODY) == BODY


@pytest.mark.parametrize(
    ("coding", "says"),
    [
        ("br", "Content-Type: application/gzip"),
        ("gzip, gzip", "Content-Type: application/gzip"),
        ("gzip", "Content-Type: application/x-tar"),
        ("gzip", 'Content-Disposition: attachment; filename="gz"'),
    ],
)
def test_a_file_with_another_coding_is_refused(peer: Peer, coding: str, says: str) -> None:
    lines = f"Content-Encoding: {coding}\r\n{says}\r\n\r\n".encode()

    with pytest.raises(RemoteEncoded):
        fetched(peer, OK + LENGTH + lines + BODY)


def test_a_part_labelled_as_the_whole_file_is_not_stored(peer: Peer) -> None:
    part = b"Content-Range: bytes 0-999/5000\r\n"

    with pytest.raises(RemoteUnavailable, match="as if part"):
        fetched(peer, OK + LENGTH + part + b"\r\n" + BODY)

    for odd in (b"0-999/1000", b"0-7/5000", b"*/5000", b"nonsense"):
        line = b"Content-Range: bytes " + odd + b"\r\n"
        assert fetched(peer, OK + LENGTH + line + b"\r\n" + BODY) == BODY


def test_a_redirect_with_two_locations_is_an_error(peer: Peer) -> None:
    found = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"

    with pytest.raises(RemoteError, match="redirected to two addresses"):
        fetched(peer, found + b"Location: /a\r\nLocation: /b\r\n\r\n")


def test_a_page_with_two_content_types_is_a_page(peer: Peer) -> None:
    types = b"Content-Type: text/html\r\nContent-Type: text/html; charset=utf-8\r\n"
    url = peer.serve("/file", File(misbehave=writes(OK + LENGTH + types + b"\r\n" + BODY)))

    answer = RemoteFile(url, connections=1).whole()

    assert answer.content_type == "text/html"
    answer.close()


@pytest.mark.parametrize(
    "path",
    ["/a%2fb%3D", "/caf%c3%a9?x=%e2%82%ac&sig=a%2Bb%2f%3d", "/a/../b//c/./d", "/x?a=b?c=/../d"],
)
def test_a_path_is_requested_unchanged(peer: Peer, path: str) -> None:
    served, _, query = path.partition("?")
    peer.serve(served, File(size=10))

    remote = RemoteFile(peer.url + path, connections=1)
    remote.whole().close()

    assert [(each.path, each.query) for each in peer.requests] == [(served, query)]
    remote.close()
