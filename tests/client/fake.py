"""Fake servers in place of the service and the file store, with scripted responses."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JOB_ID = "0b7a6f0e-6c1f-4a57-9f0f-0d9f6f2f3c55"
STATUS, RESULT = f"/v1/download/status/{JOB_ID}", f"/v1/download/result/{JOB_ID}"


@dataclass
class ReceivedRequest:
    method: str
    path: str
    headers: Message
    body: bytes


@dataclass
class Fake:
    """Responds from `script`, by path: in order, and with the last response from then on."""

    url: str = ""
    script: dict[str, list[Callable[[Handler], None]]] = field(default_factory=dict)
    requests: list[ReceivedRequest] = field(default_factory=list)

    def on(self, path: str, *answers: Callable[[Handler], None]) -> None:
        self.script[path] = list(answers)

    def offer(self, content: bytes, *, stored: bytes | None = None, **fields: Any) -> None:
        """Have a completed download whose file, at the store, is the content, or is `stored`."""
        self.on(STATUS, json_response(job("completed")))
        self.on(RESULT, json_response(result(f"{self.url}/store", content, **fields)))
        self.on("/store", Stored(content if stored is None else stored))

    def to(self, path: str) -> list[ReceivedRequest]:
        return [request for request in self.requests if request.path == path]

    def answer(self, handler: Handler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        body = handler.rfile.read(length)
        request = ReceivedRequest(handler.command, handler.path, handler.headers, body)
        self.requests.append(request)
        answers = self.script.get(handler.path) or [problem(404, "not_found", "Nothing here.")]
        with suppress(BrokenPipeError, ConnectionResetError):
            (answers.pop(0) if len(answers) > 1 else answers[0])(handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: Fake

    def handle_one_request(self) -> None:
        with suppress(ConnectionResetError):
            super().handle_one_request()

    def _answer(self) -> None:
        self.fake.answer(self)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 # the library's names

    def log_message(self, *arguments: Any) -> None:
        pass

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True


@contextmanager
def serving() -> Iterator[Fake]:
    fake = Fake()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("H", (Handler,), {"fake": fake}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    fake.on("/v1/auth/token", json_response({"access": "token", "refresh": "other"}))
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()


def json_response(body: Any, status: int = 200, **headers: str) -> Callable[[Handler], None]:
    return response(json.dumps(body).encode(), status, **headers)


def response(body: bytes, status: int = 200, **headers: str) -> Callable[[Handler], None]:
    return lambda handler: handler.send(status, body, **headers)


def problem(status: int, code: str, detail: str, **headers: str) -> Callable[[Handler], None]:
    return json_response({"detail": detail, "code": code, "status": status}, status, **headers)


def job(status: str = "processing", **fields: Any) -> dict[str, Any]:
    """Return a job as the service sends it."""
    file = {"downloadUrl": "https://store.example/file"} if status == "completed" else {}
    return {
        "jobId": JOB_ID, "kind": "bundle", "status": status, "progress": 0.4, "message": "Adding",
        "done": 40, "total": 100, "unit": "bytes", "attempts": 1, "fileName": "2 files.zip",
    } | file | fields  # fmt: skip


def result(url: str, content: bytes, **fields: Any) -> dict[str, Any]:
    body = {"downloadUrl": url, "fileName": "2 files.zip", "size": len(content)}
    return body | {"sha256": sha256(content).hexdigest()} | fields


@dataclass
class Stored:
    """An object of a file store. `cuts` are the bytes after which each connection is closed."""

    content: bytes
    etag: str = '"one"'
    takes_ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    sent: int = 0

    def __call__(self, handler: Handler) -> None:
        sent_range = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        same = handler.headers.get("If-Range") in (None, self.etag)
        begin = int(sent_range[1]) if sent_range and self.takes_ranges and same else 0
        if begin and begin >= len(self.content):
            handler.send(416, b"")
            return
        rest = self.content[begin:]
        headers = {"ETag": self.etag, "Content_Length": str(len(rest))}
        if begin:
            last = len(self.content) - 1
            headers["Content_Range"] = f"bytes {begin}-{last}/{len(self.content)}"
        cut = self.cuts.pop(0) if self.cuts else len(rest)
        self.sent += min(cut, len(rest))
        handler.send(206 if begin else 200, rest[:cut], **headers)
        if cut < len(rest):
            handler.hang_up()
