"""Runs Django's WSGI application behind the event loop, in a bounded pool of threads.

The loop reads a whole body before it uses a thread. Only long forms with files are streamed to the
thread that reads them.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BufferedReader, BytesIO
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.db import close_old_connections

from downloads_project.web_server.bodies import Receive, body_limit, bounded_body
from downloads_project.web_server.clients import Scope, client_key
from downloads_project.web_server.form_stream import FormStream
from downloads_project.web_server.refusals import Refused
from downloads_project.web_server.shares import Shares

FORM = b"multipart/form-data"
REQUESTS = 1_000  # running or waiting for a thread
PIECE_BYTES = 64 * 1024  # read at once

Send = Callable[[Any], Awaitable[None]]


class Response(NamedTuple):
    """Django's response. `rest` follows the first piece of the body, if it is streaming."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    rest: Iterator[bytes] | None
    close: Callable[[], None]


class Bridge:
    """An ASGI application for HTTP."""

    def __init__(self, application: Any, *, threads: int) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="django")
        self._requests = Shares(REQUESTS)
        self._streams = Shares(max(1, threads // 2))  # half of the threads never wait for a body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, who = scope["extensions"]["web_server"], client_key(scope)
        if not (request.content_length or request.is_chunked):
            await self._serve(scope, who, BytesIO(), request.content_length, send)
        elif not self._streams_form(scope, request):
            body = await bounded_body(scope, receive, body_limit(scope["path"]).most_bytes)
            await self._serve(scope, who, BytesIO(body), len(body), send)
        else:
            loop = asyncio.get_running_loop()
            stream = FormStream(loop, receive, self._streams, who)
            try:
                await self._serve(scope, who, stream, request.content_length, send)
            finally:
                stream.release()

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _streams_form(self, scope: Scope, request: Any) -> bool:
        kinds = (value for name, value in scope["headers"] if name == b"content-type")
        if not any(kind.partition(b";")[0].strip().lower() == FORM for kind in kinds):
            return False
        is_long = (
            request.is_chunked or request.content_length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        )
        return bool(is_long and body_limit(scope["path"]).takes_files)

    async def _serve(
        self, scope: Scope, who: str, stream: Any, length: int | None, send: Send
    ) -> None:
        environ = bridge_environ(scope, length)
        is_stream = isinstance(stream, FormStream)
        environ["wsgi.input"] = BufferedReader(stream, PIECE_BYTES) if is_stream else stream
        self._requests.take(who, 1)
        try:
            response: Response = await self._in_thread(self._call, environ)
            try:
                if is_stream and stream.refusal:  # in place of Django's response
                    raise Refused(stream.refusal)
                await self._send(response, send)
            finally:
                if response.rest is not None:
                    await self._in_thread(_close, response)
        finally:
            self._requests.give_back(who, 1)

    async def _send(self, response: Response, send: Send) -> None:
        start = {"status": response.status, "headers": response.headers}
        await send({"type": "http.response.start", **start})
        piece, more = response.body, response.rest is not None
        await send({"type": "http.response.body", "body": piece, "more_body": more})
        while more:
            piece = await self._in_thread(_next, response.rest)
            more = bool(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": more})

    async def _in_thread(self, act: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, act, *arguments)

    def _call(self, environ: dict[str, Any]) -> Response:
        started: list[tuple[int, list[tuple[bytes, bytes]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
            started.append((int(status[:3]), pairs))

        result = self._application(environ, start_response)
        if getattr(result, "streaming", False):
            close_old_connections()  # of this thread: the rest may be read in others
            rest = iter(result)
            return Response(*started[-1], _next(rest), rest, result.close)
        try:
            return Response(*started[-1], b"".join(result), None, result.close)
        finally:
            result.close()


def bridge_environ(scope: Scope, length: int | None) -> dict[str, Any]:
    """Return the WSGI environ of a request, as gunicorn does, without its input.

    Repeated headers are joined; headers with `_` in their name were removed before.
    """
    environ: dict[str, Any] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        key = "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    environ.pop("HTTP_CONTENT_LENGTH", None)
    if "HTTP_CONTENT_TYPE" in environ:
        environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE")
    if length is not None:
        environ["CONTENT_LENGTH"] = str(length)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
    query = scope["query_string"].decode("latin-1")
    path = scope["raw_path"].decode("latin-1")
    peer, server = scope["client"] or ("", ""), scope["server"] or ("", "")
    return environ | {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": f"{path}?{query}" if query else path,
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": peer[0],
        "REMOTE_PORT": str(peer[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "jobs.rate_counts": scope["state"].get("rate_counts", {}),
    }


def _next(rest: Iterator[bytes]) -> bytes:
    """Return the next pieces, joined; empty at the end."""
    pieces: list[bytes] = []
    size = 0
    while size < PIECE_BYTES and (piece := next(rest, None)) is not None:
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _close(response: Response) -> None:
    response.close()
    close_old_connections()
