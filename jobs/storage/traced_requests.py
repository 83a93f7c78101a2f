"""A span for each request to the file store. Used if settings.TRACING is true.

Spans have no keys: these have names of files. Nor have they queries, which may be signed.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any
from urllib.parse import urlsplit

from urllib3 import BaseHTTPResponse

from jobs.errors import BuildError
from jobs.lib.tracing.spans import Attributes, call_span, end_call, mark_failed, start_call
from jobs.storage.object_requests import ObjectRequests

OPERATIONS = {"HEAD": "HeadObject", "PUT": "PutObject"}


def s3_attributes(operation: str, bucket: str, endpoint: str) -> Attributes:
    return {
        "rpc.system": "aws-api",
        "rpc.service": "S3",
        "rpc.method": operation,
        "aws.s3.bucket": bucket,
        "server.address": urlsplit(endpoint).hostname or "",
    }


class TracedObjectRequests(ObjectRequests):
    """A span covers a request with its retries; of a read, until all of it has come."""

    def read(self, key: str, *, size_bytes: int | None = None, etag: str = "") -> Generator[bytes]:
        with call_span("S3/GetObject", self._attributes("GetObject"), in_threads=True):
            yield from super().read(key, size_bytes=size_bytes, etag=etag)

    def _request(
        self, method: str, key: str, *, gone: type[BuildError] | None = None, **options: Any
    ) -> BaseHTTPResponse:
        more = {"gone": gone} if gone else {}
        if method == "GET":  # of `read`
            return super()._request(method, key, **more, **options)
        operation = OPERATIONS[method] if key else "HeadBucket"
        if "partNumber=" in options.get("query", ""):
            operation = "UploadPart"
        name = f"S3/{operation}"
        with call_span(name, self._attributes(operation), in_threads=True) as span:
            response = super()._request(method, key, **more, **options)
            span.set_attribute("http.response.status_code", response.status)
            return response

    def _attributes(self, operation: str) -> Attributes:
        return s3_attributes(operation, self._bucket.name, self._bucket.endpoint)


def trace_client(client: Any) -> None:
    """Trace the requests of a client of botocore, by its events.

    Its own instrumentation adds a header to requests, and names objects in errors.
    """
    events = client.meta.events
    events.register("before-call.s3", _on_call)
    events.register("after-call.s3", _on_response)
    events.register("after-call-error.s3", _on_error)


def _on_call(model: Any, params: Any, context: Any, **_: Any) -> None:
    url = params.get("url", "")
    bucket = context.get("signing", {}).get("bucket") or ""
    attributes = s3_attributes(model.name, bucket, url)
    context["jobs_span"] = start_call(f"S3/{model.name}", attributes, in_threads=True)


def _on_response(http_response: Any, context: Any, **_: Any) -> None:
    if (span := context.pop("jobs_span", None)) and span.is_recording():
        span.set_attribute("http.response.status_code", http_response.status_code)
        if http_response.status_code >= 400:
            mark_failed(span, str(http_response.status_code))
        end_call(span)


def _on_error(exception: BaseException, context: Any, **_: Any) -> None:
    if (span := context.pop("jobs_span", None)) and span.is_recording():
        mark_failed(span, type(exception).__qualname__)
        end_call(span)
