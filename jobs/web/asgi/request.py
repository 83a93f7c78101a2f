"""Requests of the native endpoints: whether they can answer, and the caller.

Unusual requests are left to Django: an unknown host, plain HTTP if TLS is required, a page of
another site without a token, a gateway's header, a media type other than JSON.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache, lru_cache
from typing import Any, Self

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.http.request import split_domain_port, validate_host

from jobs.web.asgi.callers import Caller, caller_of_token
from jobs.web.asgi.cors import cors_headers
from jobs.web.request_ids import client_request_id

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

READ = {
    b"accept", b"authorization", b"content-type", b"cookie", b"host", b"idempotency-key",
    b"if-none-match", b"last-event-id", b"origin", b"prefer", b"x-forwarded-for",
    b"x-request-id",
}  # fmt: skip
LEFT_TO_DJANGO = {b"content-encoding", b"x-http-method-override"}
MAX_HOST_BYTES = 300
JSON = b"application/json"


class NativeRequest:
    """A request that a native endpoint can answer. No header is repeated."""

    __slots__ = ("caller", "cors", "headers", "is_secure", "path", "peer", "request_id", "scope")

    def __init__(
        self, scope: Scope, headers: dict[bytes, bytes], cors: Headers, *, is_secure: bool
    ) -> None:
        self.scope = scope
        self.headers = headers
        self.cors = cors  # headers of the response
        self.caller: Caller | None = caller_of_token(headers.get(b"authorization", b""))
        self.is_secure = is_secure
        self.path: str = scope["path"]
        self.peer: str = (scope.get("client") or ("",))[0]
        self.request_id = client_request_id(self.text(b"x-request-id"))

    @classmethod
    def of(cls, scope: Scope, *, accepts: bytes = JSON) -> Self | None:
        """Return the request; None if Django has to answer."""
        known = _request_settings()
        headers = known.read(scope["headers"])
        if headers is None:
            return None
        if headers.get(b"accept", b"*/*") not in (b"*/*", accepts, b""):
            return None
        if not known.is_allowed(headers.get(b"host", b"")):
            return None
        is_secure = known.is_secure(scope, headers)
        if known.redirects_to_tls and not is_secure:
            return None
        cors = _cors(scope, headers)
        return None if cors is None else cls(scope, headers, cors, is_secure=is_secure)

    def end_with_client(self) -> None:
        """Cancel the request as soon as the client disconnects."""
        if server := self.scope.get("extensions", {}).get("web_server"):
            server.end_with_client()

    def text(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")


def _cors(scope: Scope, headers: dict[bytes, bytes]) -> Headers | None:
    """Return the headers for a page of another origin; None if Django has to answer it."""
    if (origin := headers.get(b"origin")) is None:
        return []
    return cors_headers(scope["path"], origin) if b"authorization" in headers else None


class _RequestSettings:
    """The settings that every request needs, parsed once."""

    def __init__(self) -> None:
        name, value = getattr(settings, "SECURE_PROXY_SSL_HEADER", None) or ("", "")
        proxy_header = name.removeprefix("HTTP_").replace("_", "-")  # X-Forwarded-Proto
        self._proxy_header, self._secure_value = _name(proxy_header), value
        self._read = READ | {self._proxy_header} - {b""}
        self._left_to_django = LEFT_TO_DJANGO | {_name(settings.GATEWAY_USER_HEADER)} - {b""}
        self._allowed_hosts = list(settings.ALLOWED_HOSTS)
        self.redirects_to_tls: bool = settings.SECURE_SSL_REDIRECT
        self.is_allowed = lru_cache(maxsize=1_000)(self._is_allowed)

    def read(self, all_headers: Headers) -> dict[bytes, bytes] | None:
        """Return the headers in READ; None if one is repeated, or left to Django."""
        found: dict[bytes, bytes] = {}
        for name, value in all_headers:
            if name in self._read:
                if name in found:
                    return None
                found[name] = value
            elif name in self._left_to_django:
                return None
        return found

    def is_secure(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        """Return what HttpRequest.is_secure of Django would return."""
        value = headers.get(self._proxy_header)
        if value is None:
            return bool(scope["scheme"] == "https")
        return value.decode("latin-1").partition(",")[0].strip() == self._secure_value

    def _is_allowed(self, host: bytes) -> bool:
        if len(host) > MAX_HOST_BYTES:
            return False
        domain, _ = split_domain_port(host.decode("latin-1"))
        return bool(domain) and validate_host(domain, self._allowed_hosts)


_request_settings = cache(_RequestSettings)


@receiver(setting_changed)
def _clear_request_settings(**_: object) -> None:
    """Parse the settings again, for tests that override them."""
    _request_settings.cache_clear()


def _name(header: str) -> bytes:
    return header.lower().encode()
