"""The access log has one line for each request, without secrets."""

from __future__ import annotations

import re

import pytest

from tests.live import Live
from tests.wire import exchange

LINK = "https%3A%2F%2Fdata.example%2Fa.csv%3FX-Signature%3Dsecret"


@pytest.mark.parametrize(
    "address",
    [f"/link?url={LINK}", f"/sign-in?next=/link%3Furl%3D{LINK}", f"/nowhere?a=b?url={LINK}"],
)
def test_a_link_in_a_query_is_not_logged(web: Live, address: str) -> None:
    answer = exchange(
        web.url, f"GET {address} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )

    log = web.processes[0].log.read_text()
    path = re.escape(address.partition("?")[0])
    assert re.search(rf'"GET {path} HTTP/1\.1" \d+ \d+ \d+ms {answer.headers["X-Request-ID"]}', log)
    assert "Signature" not in log


@pytest.mark.parametrize("byte", [b"\x01", b"\x7f", b"\x80", b"\xc3\xa9", b"\xff", b" "])
def test_a_request_line_with_a_raw_byte_is_not_logged(web: Live, byte: bytes) -> None:
    line = b"GET /link?url=Signature HTTP/1.1\r\n"
    for place in (1, 6, 14, 20, 26, 28):
        sent = line[:place] + byte + line[place:] + b"Host: localhost\r\n\r\n"
        assert exchange(web.url, sent).status == 400

    log = web.processes[0].log.read_text()
    assert "Signature" not in log
    assert "Traceback" not in log


@pytest.mark.parametrize("host", [b"evil.example", b"a b", b"\xff", b"[::1", b"a@localhost", b""])
@pytest.mark.parametrize("accept", [b"text/html", b"*/*"])
def test_an_unknown_host_is_logged_without_a_traceback(
    web: Live, host: bytes, accept: bytes
) -> None:
    answer = exchange(
        web.url,
        b"GET /docs?url=Signature HTTP/1.1\r\nHost: " + host + b"\r\nAccept: " + accept + b"\r\n"
        b"Origin: https://evil.example\r\nConnection: close\r\n\r\n",
    )

    log = web.processes[0].log.read_text()
    told = [line for line in log.splitlines() if answer.headers["X-Request-ID"] in line]
    assert answer.status == 400
    assert len(told) == 2  # the reason, and the line of the access log
    assert "Traceback" not in log
    assert "Signature" not in log


def test_a_link_in_a_refused_request_is_not_logged(web: Live) -> None:
    head = f"GET /link?url={LINK} HTTP/1.1\r\nHost: localhost\r\nHost: two\r\n\r\n"

    answer = exchange(web.url, head.encode())

    log = web.processes[0].log.read_text()
    assert f'"GET /link HTTP/1.1" 400 {len(answer.body)} 0ms' in log
    assert "Signature" not in log
