"""Responses of the native endpoints, with the headers that Django would set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from wsgiref.util import setup_testing_defaults

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

from jobs.web.asgi.request import Headers, NativeRequest, Send
from jobs.web.representation import representation_json

IS_SAMPLE = "jobs.is_sample"  # in the environ of a request that no client has sent
# Headers of the sample response that other responses do not have.
NOT_SHARED = {
    "content-type", "content-length", "www-authenticate", "x-request-id", "ratelimit",
    "ratelimit-policy", "retry-after",
}  # fmt: skip


class FixedResponseHeaders:
    """The headers of all responses of an endpoint, as Django's middleware and views set them."""

    def __init__(self, django: WSGIHandler, method: str, path: str) -> None:
        self._plain = _sample_headers(django, method, path, scheme="http")
        self._secure = _sample_headers(django, method, path, scheme="https")

    def of(self, request: NativeRequest) -> Headers:
        return self._secure if request.is_secure else self._plain


def _sample_headers(django: WSGIHandler, method: str, path: str, *, scheme: str) -> Headers:
    """Return the headers of a response to a request without a token, which makes no query."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "HTTP_HOST": _some_host(),
        "wsgi.url_scheme": scheme,
        IS_SAMPLE: True,
    }
    if proxy_header := getattr(settings, "SECURE_PROXY_SSL_HEADER", None):
        environ[proxy_header[0]] = scheme
    setup_testing_defaults(environ)
    found: list[tuple[str, str]] = []
    response = django(environ, _Collected(found))
    response.close()
    return [
        (name.lower().encode(), value.encode("latin-1"))
        for name, value in found
        if name.lower() not in NOT_SHARED
    ]


class _Collected:
    """A `start_response` of WSGI that stores the headers."""

    def __init__(self, headers: list[tuple[str, str]]) -> None:
        self._headers = headers

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        self._headers.extend(headers)
        return lambda _: None


def _some_host() -> str:
    """Return a host that Django allows."""
    pattern = next(iter(settings.ALLOWED_HOSTS), "localhost")
    return "localhost" if pattern == "*" else str(pattern).removeprefix(".")


async def send_json_response(
    send: Send,
    request: NativeRequest,
    status: int,
    fixed: Headers,
    own: Mapping[str, str],
    body: Mapping[str, Any] | None,
    *,
    content_type: str = "application/json",
) -> None:
    """Send a response. `body` is None for a 304."""
    content = b""
    if body is not None:
        content = representation_json(body)
        own = {**own, "Content-Type": content_type, "Content-Length": str(len(content))}
    await send_response_head(send, request, status, fixed, own)
    await send({"type": "http.response.body", "body": content})


async def send_response_head(
    send: Send, request: NativeRequest, status: int, fixed: Headers, own: Mapping[str, str]
) -> None:
    headers = [
        *fixed,
        *request.cors,
        (b"x-request-id", request.request_id.encode()),
        *encode_response_headers(own),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})


def encode_response_headers(headers: Mapping[str, str]) -> Headers:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
