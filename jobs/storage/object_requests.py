"""Signed requests for single objects: GET, HEAD, PUT, and PUT of one part.

They take a fraction of botocore's processor time; botocore is used for everything else. Transient
errors are retried as botocore does.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any
from urllib.parse import quote

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError, ProtocolError

from jobs.errors import BuildError, SourceChanged, SourceMissing, StorageUnavailable
from jobs.storage.abortable_connections import StorageConnections, abortable_pause
from jobs.storage.read_position import CHANGED_SENTENCE, ReadPosition
from jobs.storage.request_body import Body, measure_request_body
from jobs.storage.s3_errors import CHANGED, GONE, OTHER_BUCKET, ErrorResponse
from jobs.storage.signature import EMPTY_SHA256, SignedBucket, Signer
from jobs.storage.traffic import count_traffic
from jobs.workspace import CHUNK_BYTES

MAX_PAUSE_SECONDS = 20


class ObjectRequests:
    """The objects of one bucket. Thread-safe, also in a forked process.

    All methods raise StorageUnavailable, and SourceMissing or `gone` if there is no such object.
    """

    def __init__(
        self,
        bucket: SignedBucket,
        signer: Signer,
        connect: Callable[[], StorageConnections],
        *,
        attempts: int,
        is_own: bool = True,
    ) -> None:
        self._bucket, self._signer, self._attempts = bucket, signer, attempts
        self._connect, self._is_own = connect, is_own
        self._connections: tuple[int, StorageConnections] | None = None

    def in_bucket(self, name: str) -> ObjectRequests:
        """Return the requests for objects in another bucket of this store.

        They share the connections. They raise SourceForbidden, too, and BucketMissing.
        """
        other = SignedBucket(self._bucket.endpoint, name)
        return type(self)(other, self._signer, self._open, attempts=self._attempts, is_own=False)

    def read(self, key: str, *, size_bytes: int | None = None, etag: str = "") -> Generator[bytes]:
        """Yield the object in chunks of CHUNK_BYTES. Resumes when the connection is lost.

        Raises SourceChanged if the object has changed meanwhile, or does not have `size_bytes` or
        this ETag, which has no quotes.
        """
        position, failures = ReadPosition(size_bytes, etag), 0
        while True:
            response = self._request("GET", key, headers=position.headers(), preload_content=False)
            try:
                position.check(response)
                while chunk := response.read(CHUNK_BYTES):
                    position.offset, failures = position.offset + len(chunk), 0
                    count_traffic(len(chunk))
                    yield chunk
                return
            except HTTPError as error:
                failures += 1
                if failures >= self._attempts or not position.etag:
                    raise StorageUnavailable("The file store could not be reached.") from error
                _pause(random.random() * 0.05 * 2**failures)
            finally:
                response.close()  # after a whole read, its connection is in the pool already

    def head(self, key: str = "") -> Mapping[str, str]:
        """Return the headers of an object, or of the bucket."""
        return self._request("HEAD", key).headers

    def put(self, key: str, body: Body, *, content_type: str, sha256: str = "") -> None:
        """Store an object in one request. S3 rejects a body that does not match its signature.

        Pass `sha256` if it is known, to avoid hashing the body again.
        """
        response = self._request(
            "PUT",
            key,
            body=body,
            sha256=sha256,
            headers={"content-type": content_type},
            gone=StorageUnavailable,
        )
        _etag_of(response)

    def put_part(
        self, key: str, upload_id: str, number: int, body: Body, *, gone: type[BuildError]
    ) -> str:
        """Store a part and return its ETag. Raises `gone` if the upload is no longer open."""
        query = f"partNumber={number}&uploadId={quote(upload_id, safe='-._~')}"
        return _etag_of(self._request("PUT", key, query=query, body=body, gone=gone))

    def _request(
        self,
        method: str,
        key: str,
        *,
        gone: type[BuildError] = SourceMissing,
        **options: Any,
    ) -> BaseHTTPResponse:
        try:
            return self._with_retries(lambda: self._send(method, key, **options))
        except ErrorResponse as error:
            if error.code in GONE:
                raise gone("A stored file could not be found.") from error
            if not self._is_own and (known := OTHER_BUCKET.get(error.code)):
                raise known(f"A stored file {known.problem}") from error
            if error.status in CHANGED:
                raise SourceChanged(CHANGED_SENTENCE) from error
            raise StorageUnavailable("The file store refused a request.") from error
        except (HTTPError, ConnectionAbortedError) as error:
            raise StorageUnavailable("The file store could not be reached.") from error

    def _with_retries(self, send: Callable[[], BaseHTTPResponse]) -> BaseHTTPResponse:
        """Call `send` until it succeeds, with the delays of botocore's standard mode."""
        attempt, is_reconnected = 1, False
        while True:
            scale = 0.05
            try:
                return send()
            except ErrorResponse as error:
                if attempt == self._attempts or not error.is_transient:
                    raise
                scale = 1 if error.is_throttling else scale
            except HTTPError as error:
                # A persistent connection may have been closed by the server: not counted as a try.
                if isinstance(error, ProtocolError) and not is_reconnected:
                    is_reconnected = True
                    abortable_pause(0)
                    continue
                if attempt == self._attempts:
                    raise
            abortable_pause(random.random() * min(scale * 2 ** (attempt - 1), MAX_PAUSE_SECONDS))
            attempt += 1

    def _send(
        self,
        method: str,
        key: str,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        sha256: str = "",
        preload_content: bool = True,
    ) -> BaseHTTPResponse:
        """Sign and send. Signed for each try, because a signature is valid for 15 minutes."""
        path = self._bucket.path(key)
        size_bytes, hashed = (None, "") if body is None else measure_request_body(body, sha256)
        signed = self._signer.signed_headers(
            method,
            self._bucket,
            path,
            at=time.time(),
            query=query,
            headers=headers,
            payload_sha256=hashed or EMPTY_SHA256,
        )
        if size_bytes is not None:
            signed["content-length"] = str(size_bytes)
        response = self._open().send(
            method,
            f"{path}?{query}" if query else path,
            body=body,
            headers=signed,
            preload_content=preload_content,
        )
        if response.status >= 300:
            raise ErrorResponse(response.status, response.headers, response.data)
        return response

    def _open(self) -> StorageConnections:
        pid = os.getpid()
        if self._connections is None or self._connections[0] != pid:  # not after a fork
            self._connections = pid, self._connect()
        return self._connections[1]


def _etag_of(response: BaseHTTPResponse) -> str:
    """Return the ETag, with which S3 confirms an upload. A proxy's own response has none."""
    etag = response.headers.get("ETag")
    if not etag:
        raise StorageUnavailable("The file store did not confirm an upload.")
    return etag


def _pause(seconds: float) -> None:
    try:
        abortable_pause(seconds)
    except ConnectionAbortedError as error:
        raise StorageUnavailable("The file store could not be reached.") from error
