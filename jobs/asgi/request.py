"""A request as the native endpoints read it: whether they may answer, and for whom.

Whatever is unusual about it is Django's: another host, plain HTTP where TLS is asked for, another
site's page, a gateway's header, a media type that is not JSON.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from secrets import token_hex
from typing import Any, Self

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from jobs.asgi.callers import Caller, caller_of_token
from jobs.middleware import VALID_REQUEST_ID

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

READ = {
    b"accept", b"authorization", b"content-type", b"cookie", b"host", b"idempotency-key",
    b"if-none-match", b"last-event-id", b"prefer", b"x-forwarded-for", b"x-request-id",
}  # fmt: skip
LEFT_TO_DJANGO = {b"origin", b"content-encoding", b"x-http-method-override"}
JSON = b"application/json"


class NativeRequest:
    """One that a native endpoint may answer. Each header is there once at most."""

    __slots__ = ("caller", "headers", "is_secure", "path", "peer", "request_id", "scope")

    def __init__(self, scope: Scope, headers: dict[bytes, bytes], *, is_secure: bool) -> None:
        self.scope = scope
        self.headers = headers
        self.caller: Caller | None = caller_of_token(headers.get(b"authorization", b""))
        self.is_secure = is_secure
        self.path: str = scope["path"]
        self.peer: str = (scope.get("client") or ("",))[0]
        self.request_id = _request_id(headers.get(b"x-request-id"))

    @classmethod
    def of(cls, scope: Scope, *, accepts: bytes = JSON) -> Self | None:
        """None where Django shall answer."""
        headers = _read_headers(scope["headers"])
        if headers is None:
            return None
        if headers.get(b"accept", b"*/*") not in (b"*/*", accepts):
            return None
        if not _is_allowed_host(headers.get(b"host", b"")):
            return None
        is_secure = _is_secure(scope, headers)
        if settings.SECURE_SSL_REDIRECT and not is_secure:
            return None
        return cls(scope, headers, is_secure=is_secure)

    def end_with_client(self) -> None:
        """Cancel what serves the request as soon as the client closes its side."""
        if server := self.scope.get("extensions", {}).get("web_server"):
            server.end_with_client()

    def text(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")


def _read_headers(all_headers: Headers) -> dict[bytes, bytes] | None:
    """Those that are read here; None where there is one that is not understood, or a double."""
    special = _special_headers(settings.GATEWAY_USER_HEADER, _proxy_header())
    found: dict[bytes, bytes] = {}
    for name, value in all_headers:
        if name in READ or name in special:
            if name in found:
                return None
            found[name] = value
        elif name in LEFT_TO_DJANGO:
            return None
    if settings.GATEWAY_USER_HEADER and settings.GATEWAY_USER_HEADER.lower().encode() in found:
        return None
    return found


@lru_cache(maxsize=8)
def _special_headers(*names: str) -> frozenset[bytes]:
    return frozenset(name.lower().encode() for name in names if name)


def _proxy_header() -> str:
    """In which a proxy says that the client came by TLS: X-Forwarded-Proto."""
    found = getattr(settings, "SECURE_PROXY_SSL_HEADER", None)
    return found[0].removeprefix("HTTP_").replace("_", "-") if found else ""


def _is_secure(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    """As Django's HttpRequest.is_secure has it."""
    if name := _proxy_header():
        said = headers.get(name.lower().encode())
        if said is not None:
            first = said.decode("latin-1").partition(",")[0].strip()
            return bool(first == settings.SECURE_PROXY_SSL_HEADER[1])
    return bool(scope["scheme"] == "https")


def _is_allowed_host(host: bytes) -> bool:
    return _is_allowed(host, tuple(settings.ALLOWED_HOSTS)) if len(host) < 300 else False


@lru_cache(maxsize=1_000)
def _is_allowed(host: bytes, allowed: tuple[str, ...]) -> bool:
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and validate_host(domain, allowed)


def _request_id(sent: bytes | None) -> str:
    """The client's, if it is a valid one."""
    text = sent.decode("latin-1") if sent else ""
    return text if VALID_REQUEST_ID.fullmatch(text) else token_hex(16)
