"""The body of a request to the store: bytes, or a file that is read in blocks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import IO

from jobs.workspace import CHUNK_BYTES

BLOCK_BYTES = 256 * 1024  # of a body, sent at once
Body = bytes | bytearray | memoryview | IO[bytes]


def request_body_blocks(body: Body) -> Iterator[bytes | memoryview]:
    if isinstance(body, bytes | bytearray | memoryview):
        whole = memoryview(body)
        for start in range(0, len(whole), BLOCK_BYTES):
            yield whole[start : start + BLOCK_BYTES]
    else:
        while block := body.read(BLOCK_BYTES):
            yield block


def measure_request_body(body: Body, sha256: str) -> tuple[int, str]:
    """Return size and SHA-256 of a body. A file is rewound."""
    if isinstance(body, bytes | bytearray | memoryview):
        return len(body), sha256 or hashlib.sha256(body).hexdigest()
    body.seek(0)
    found = hashlib.sha256()
    while chunk := body.read(CHUNK_BYTES):
        found.update(chunk)
    size_bytes = body.tell()
    body.seek(0)
    return size_bytes, found.hexdigest()
