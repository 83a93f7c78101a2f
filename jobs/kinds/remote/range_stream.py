"""One response of the server, for one range after another."""

from __future__ import annotations

from jobs.kinds.remote.ranges import RangePiece
from jobs.outbound import RemoteResponse


class RangeStream:
    """A response that is read piece by piece. `position` is the offset of the next byte."""

    def __init__(self, response: RemoteResponse) -> None:
        self.response = response
        self.position = response.first
        self._end = 0 if response.last is None else response.last + 1
        self._held = b""  # received with the end of the last piece

    @property
    def left(self) -> int:
        return self._end - self.position

    def has(self, piece: RangePiece) -> bool:
        return self.position == piece.position and self._end >= piece.end

    def read(self, most_bytes: int) -> bytes:
        chunk = self._held or self.response.read()
        read, self._held = chunk[:most_bytes], chunk[most_bytes:]
        self.position += len(read)
        return read

    def close(self) -> None:
        """Close the response; `left` is 0 then. Idempotent."""
        self._end = self.position
        self.response.close()
