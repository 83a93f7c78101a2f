"""One chunk of an upload as a form that can be sent more than once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Self
from uuid import uuid4

BLOCK_BYTES = 64 * 1024


class ChunkForm:
    """The body of a request. `on_sent` is called with the bytes that were handed to the socket."""

    def __init__(
        self, fields: dict[str, object], content: bytes, on_sent: Callable[[int], None]
    ) -> None:
        boundary = uuid4().hex
        texts = [_part(boundary, f'name="{name}"') + str(fields[name]) for name in fields]
        head = "\r\n".join([*texts, _part(boundary, 'name="chunk"; filename="chunk"')])
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._body = b"".join([head.encode(), content, f"\r\n--{boundary}--\r\n".encode()])
        self._on_sent = on_sent
        self._at = 0

    def rewind(self) -> Self:
        """Begin again. Call it before each try."""
        self._at = 0
        self._on_sent(0)
        return self

    def read(self, size: int = -1) -> bytes:
        end = len(self._body) if size < 0 else self._at + size
        block = self._body[self._at : end]
        self._at += len(block)
        self._on_sent(self._at)
        return block

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes]:  # so that requests streams it
        while block := self.read(BLOCK_BYTES):
            yield block


def _part(boundary: str, disposition: str) -> str:
    return f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
