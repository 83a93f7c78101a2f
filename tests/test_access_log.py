"""One line a request, with nothing in it that is somebody's secret."""

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
def test_a_link_in_an_address_is_not_logged(web: Live, address: str) -> None:
    answer = exchange(
        web.url, f"GET {address} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )

    log = web.processes[0].log.read_text()
    path = re.escape(address.partition("?")[0])
    assert re.search(rf'"GET {path} HTTP/1\.1" \d+ \d+ \d+ms {answer.headers["X-Request-ID"]}', log)
    assert "Signature" not in log


def test_a_refused_request_keeps_it_to_itself_too(web: Live) -> None:
    head = f"GET /link?url={LINK} HTTP/1.1\r\nHost: localhost\r\nHost: two\r\n\r\n"

    answer = exchange(web.url, head.encode())

    log = web.processes[0].log.read_text()
    assert f'"GET /link HTTP/1.1" 400 {len(answer.body)} 0ms' in log
    assert "Signature" not in log
