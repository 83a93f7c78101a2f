"""A collector for tests: it decodes what OTLP/HTTP sends."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan


@dataclass(frozen=True)
class ReceivedSpan:
    """A span, with the role of the process that sent it."""

    role: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    links: list[tuple[str, str]]  # ids of trace and span
    attributes: dict[str, Any]
    is_error: bool

    def __str__(self) -> str:
        return f"{self.role}: {self.name}"


class Receiver(list[ReceivedSpan]):
    """The received spans, in the order of their arrival."""

    url = ""

    def of_trace(self, trace_id: str) -> list[ReceivedSpan]:
        return [span for span in self if span.trace_id == trace_id]

    def add(self, body: bytes) -> None:
        request = service.ExportTraceServiceRequest.FromString(body)
        for of_process in request.resource_spans:
            role = values(of_process.resource.attributes)["downloads.role"]
            for scope in of_process.scope_spans:
                self.extend(received_span(role, span) for span in scope.spans)


def received_span(role: str, span: Any) -> ReceivedSpan:
    return ReceivedSpan(
        role=role,
        name=span.name,
        kind=ProtoSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        attributes=values(span.attributes),
        is_error=span.status.code == 2,
    )


def values(attributes: Any) -> dict[str, Any]:
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value")
        for each in attributes
    }


@contextmanager
def receiver() -> Iterator[Receiver]:
    received = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_packed = self.headers["Content-Encoding"] == "gzip"
            received.add(gzip.decompress(body) if is_packed else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    received.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
