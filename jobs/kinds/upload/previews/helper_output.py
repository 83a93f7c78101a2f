"""The output of the helper process: progress, and at last the result or an error."""

from __future__ import annotations

import os
from pathlib import Path

from jobs.kinds.upload.previews import helper_protocol
from jobs.kinds.upload.previews.helper_protocol import Progress, ProtocolError, Ready
from jobs.kinds.upload.previews.preview_result import PreviewResult
from jobs.kinds.upload.previews.preview_types import PreviewType
from jobs.lib.mailbox import Mailbox

CHUNK_BYTES = 64 * 1024


class HelperOutputReader:
    """Parses the helper's output as it arrives."""

    def __init__(
        self,
        events: Mailbox[Progress | PreviewResult | BaseException],
        preview_type: PreviewType,
        folder: Path,
    ) -> None:
        self.was_ready = False
        self.result: PreviewResult | Exception | None = None
        self._events = events
        self._preview_type = preview_type
        self._folder = folder
        self._rest = b""
        self._bytes = 0

    def read(self, pipe: int) -> bool:
        """Read a chunk. Return False at the end of the output. Raises ProtocolError."""
        chunk = os.read(pipe, CHUNK_BYTES)
        self._bytes += len(chunk)
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            self._receive(line)
        if (
            self._bytes > helper_protocol.MAX_BYTES
            or len(self._rest) > helper_protocol.MAX_LINE_BYTES
        ):
            raise ProtocolError("too much output")
        return bool(chunk)

    def _receive(self, line: bytes) -> None:
        if self.result or len(line) > helper_protocol.MAX_LINE_BYTES:
            raise ProtocolError("too much output")
        message = helper_protocol.parse_helper_message(line, self._preview_type, self._folder)
        if isinstance(message, Progress):
            self._events.put(message)
        elif isinstance(message, Ready):
            self.was_ready = True
        else:
            self.result = message
