"""Servers that set a cookie and redirect to the same link; cookies stay with their host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jobs.errors import TooManyRedirects
from jobs.outbound import RemoteFile
from jobs.outbound.cookies import Cookies
from jobs.outbound.targets import target_of
from jobs.outbound.url_parser import ParsedUrl
from tests.hostile.content import File, Mode
from tests.hostile.exchange import Exchange, honest
from tests.hostile.server import Peer


@pytest.fixture
def peer(settings: Any) -> Iterator[Peer]:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = ["127.0.0.1", "localhost"]
    with Peer() as peer:
        yield peer


def wants(cookie: str, *, sets: str, location: str = "") -> Mode:
    """Serve the file to clients with the cookie; others get it with a redirect to the same link."""

    async def mode(exchange: Exchange) -> None:
        if cookie in exchange.request.headers.get("cookie", ""):
            return await honest(exchange)
        place = location or exchange.request.path
        head = f"HTTP/1.1 302 Found\r\nSet-Cookie: {sets}\r\nLocation: {place}\r\n"
        return await exchange.write(f"{head}Content-Length: 0\r\n\r\n".encode())

    return mode


def sent_cookies(peer: Peer) -> list[str]:
    return [request.headers.get("cookie", "") for request in peer.requests]


def ask(url: str, times: int = 1) -> None:
    remote = RemoteFile(url, connections=1)
    try:
        for _ in range(times):
            remote.whole().close()
    finally:
        remote.close()


@pytest.mark.parametrize(
    "sets",
    [
        "ok=1",
        "ok=1; Path=/",
        "ok=1; Path=/a; HttpOnly; SameSite=Lax",
        "ok=1; Domain=127.0.0.1; Max-Age=60",
        "ok=1; Expires=Fri, 31 Dec 2100 23:59:59 GMT",
        'ok=1; odd="a; b"',
    ],
)
def test_a_redirect_to_itself_with_a_cookie_is_followed(peer: Peer, sets: str) -> None:
    ask(peer.serve("/a/x", File(misbehave=wants("ok=1", sets=sets))))

    assert sent_cookies(peer) == ["", "ok=1"]


def test_cookies_are_kept_within_one_fetch(peer: Peer) -> None:
    url = peer.serve("/a/x", File(misbehave=wants("ok=1", sets="ok=1")))

    ask(url, times=2)
    ask(url)

    assert sent_cookies(peer) == ["", "ok=1", "ok=1", "", "ok=1"]


@pytest.mark.parametrize(
    "sets",
    ["ok=1; Path=/other", "ok=1; Secure", "ok=1; Domain=example.org", "ok=1; Max-Age=0", "=", ""],
)
def test_a_cookie_for_other_requests_is_not_sent(peer: Peer, sets: str) -> None:
    url = peer.serve("/a/x", File(misbehave=wants("ok=1", sets=sets)))

    with pytest.raises(TooManyRedirects, match="more than 20 times"):
        ask(url)

    assert set(sent_cookies(peer)) == {""}
    assert len(peer.requests) == 21


def test_no_other_host_gets_a_cookie(peer: Peer) -> None:
    elsewhere = f"http://localhost:{peer.port}/b"
    peer.serve("/b", File())
    url = peer.serve("/a", File(misbehave=wants("-", sets="ok=1; Path=/", location=elsewhere)))

    ask(url)

    assert sent_cookies(peer) == ["", ""]


class Sets:
    """A response that sets these cookies."""

    def __init__(self, *cookies: str) -> None:
        self.headers = self
        self.cookies = list(cookies)

    def getlist(self, name: str) -> list[str]:
        return self.cookies


def learned(url: str, *cookies: str) -> Cookies:
    found = Cookies()
    found.store(Sets(*cookies), target_of(url))  # type: ignore[arg-type] # all that it looks at
    return found


@pytest.mark.parametrize(
    "other", ["http://b.example.org/", "http://example.org/", "http://a.a.example.org/"]
)
def test_a_cookie_of_a_shared_domain_is_not_shared(other: str) -> None:
    cookies = learned("http://a.example.org/", "x=1; Domain=example.org")

    assert cookies.header_for(target_of("http://a.example.org/b")) == {"Cookie": "x=1"}
    assert cookies.header_for(target_of(other)) == {}


@pytest.mark.parametrize(
    "sets",
    [
        *[
            "ok=1",
            " ok = 1 ;; Path=/",
            "ok=1; path=/d",
            "ok=1; Path=/d/",
            "ok=1; Path=/other; Path=/",
        ],
        *["ok=1; Path=foo", 'ok=1; Version=1; Path="/"', "ok=1; Path", "ok=1; Path="],
        *["ok=1; Max-Age=soon", "ok=1; Max-Age=1.5", 'ok=1; Max-Age="0"', "ok=1; Max-Age"],
        *["ok=1; Max-Age=0; Max-Age=60", "ok=1; Max-Age=" + "9" * 3_000],
        *["ok=1; Domain", "ok=1; Domain=", "ok=1; Domain=.", "ok=1; DOMAIN=.Example.ORG"],
        *["ok=1; Version=2", "ok=1; Version=x", "ok=1; Port=81", "ok=1; Secured; Comment=a"],
        *["ok=1; Expires=0", "ok=1; Expires=-1", "ok=1; Expires", "ok=1; Expires=soon"],
        *["ok=1; Expires=Wed, 31-Dec-69 23:59:59 GMT", "ok=1; expires=31 feb 1999 1:2:3"],
        "ok=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60",
    ],
)
def test_a_malformed_attribute_does_not_drop_the_cookie(sets: str) -> None:
    cookies = learned("http://a.example.org/d/x", sets)

    assert cookies.header_for(target_of("http://a.example.org/d/x?y")) == {"Cookie": "ok=1"}


@pytest.mark.parametrize(
    "sets",
    [
        *["ok=1; Max-Age=0", "ok=1; Max-Age=-1", "ok=1; Max-Age=60; Max-Age=000"],
        *["ok=1; Path=/D", "ok=1; Path=/d/x/", "ok=1; Path=/other"],
        *["ok=1; Domain=other.example", "ok=1; Domain=b.example.org", "ok=1; Domain=ample.org"],
        *[
            "ok=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "ok=1; Expires=Thu, 01-Jan-70 00:00:01 GMT",
        ],
        *[
            "ok=1; Expires=Thu Jan  1 00:00:00 1970",
            "ok=1; Expires=Fri, 31 Dec 1999 23:59:59 +0000",
        ],
    ],
)
def test_an_expired_or_foreign_cookie_is_not_sent(sets: str) -> None:
    cookies = learned("http://a.example.org/d/x", sets)

    assert cookies.header_for(target_of("http://a.example.org/d/x")) == {}


@pytest.mark.parametrize("over", ["Max-Age=0", "Expires=Thu, 01-Jan-70 00:00:01 GMT"])
def test_a_cookie_is_deleted_by_its_name_and_path(over: str) -> None:
    cookies = learned("http://example.org/d/x", "a=1", "a=2; Path=/", "b=3", f"a=; {over}")

    assert cookies.header_for(target_of("http://example.org/d/y")) == {"Cookie": "b=3; a=2"}


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        (ParsedUrl("http", "fileserver", 80, "/x"), "Domain=fileserver"),
        (ParsedUrl("http", "fileserver", 80, "/x"), ""),
        (ParsedUrl("http", "8.8.8.8", 8080, "/x"), "Domain=8.8.8.8"),
        (ParsedUrl("http", "2606:4700::1111", 80, "/x"), "Domain=[2606:4700::1111]"),
    ],
)
def test_an_ip_address_has_cookies_too(target: ParsedUrl, sent: str) -> None:
    cookies = Cookies()
    cookies.store(Sets(f"ok=1; {sent}"), target)  # type: ignore[arg-type] # all that it looks at

    assert cookies.header_for(target) == {"Cookie": "ok=1"}

    cookies = Cookies()
    cookies.store(Sets("ok=1; Domain=8.8"), target)  # type: ignore[arg-type] # all that it looks at

    assert cookies.header_for(target) == {}


def test_a_secure_cookie_is_sent_only_over_https() -> None:
    cookies = learned("https://example.org/", "x=1; Secure")

    assert cookies.header_for(target_of("https://example.org/")) == {"Cookie": "x=1"}
    assert cookies.header_for(target_of("http://example.org/")) == {}


def test_number_and_size_of_cookies_are_limited() -> None:
    many = [f"c{n}=1; Path=/" for n in range(200)]
    cookies = learned("http://example.org/", "large=" + "a" * 5_000, *many)

    (header,) = cookies.header_for(ParsedUrl("http", "example.org", 80, "/")).values()

    assert "large" not in header
    assert header.count("=") == 49
