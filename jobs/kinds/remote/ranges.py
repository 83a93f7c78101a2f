"""Plans which connection fetches which bytes of a file. Pure; callers hold a lock.

Parts of equal size are assigned from the front, a few at a time for each request. A connection
without work takes over half of what the slowest one still has to fetch, or everything from one that
has stalled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set
from dataclasses import dataclass, field
from typing import NamedTuple

RUN = 2  # parts per request: more would wait long to be hashed, which is done in order
MIN_SPLIT_BYTES = 128 * 1024  # less is not worth a request
MIN_SPLIT_SECONDS = 0.2
SILENT_SECONDS = 3.0


@dataclass(eq=False, slots=True)
class RangePiece:
    """Bytes from `position` to before `end`. Times are of a monotonic clock."""

    position: int
    end: int
    began: float
    heard: float  # when the last byte arrived
    first: int = field(init=False)

    def __post_init__(self) -> None:
        self.first = self.position

    @property
    def left(self) -> int:
        return self.end - self.position

    def seconds_left(self, now: float) -> float:
        """Return the seconds left at the speed so far. At least one byte must have arrived."""
        return self.left * (now - self.began) / (self.position - self.first)


class Share(NamedTuple):
    """Bytes of a piece that belong to one part."""

    part: int
    offset: int
    size: int


class RangePlan:
    """The assignment of parts to connections. `stored` are parts that need not be fetched."""

    def __init__(self, size_bytes: int, part_bytes: int, stored: Set[int] = frozenset()) -> None:
        self.size_bytes = size_bytes
        self.part_bytes = part_bytes
        self.parts = -(-size_bytes // part_bytes)
        self.running: set[RangePiece] = set()
        self._fresh = deque(n for n in range(self.parts) if n not in stored)
        self._given_back: deque[RangePiece] = deque()
        self._missing = {n: self.size_of(n) for n in self._fresh}  # bytes, by part

    def size_of(self, part: int) -> int:
        return min(self.part_bytes, self.size_bytes - part * self.part_bytes)

    def take(self, now: float, *, room: int, at: int | None = None) -> RangePiece | None:
        """Return the next piece for an idle connection, of at most `room` new parts.

        A piece that begins `at` this byte is preferred: the connection need not send a request.
        """
        if at is not None and (piece := self._waiting(at)):
            return self._take_over(piece, at, now)
        is_next = self._fresh and self._fresh[0] * self.part_bytes == at
        if self._given_back and not (room and is_next):
            piece = self._given_back.popleft()
            return self._run(piece.position, piece.end, now)
        if room and self._fresh:
            first = last = self._fresh.popleft()
            while last - first + 1 < min(room, RUN) and self._fresh and self._fresh[0] == last + 1:
                last = self._fresh.popleft()
            end = min((last + 1) * self.part_bytes, self.size_bytes)
            return self._run(first * self.part_bytes, end, now)
        return self._split(now)

    def accept(self, piece: RangePiece, count: int, now: float) -> list[Share]:
        """Record `count` received bytes. Return where they belong; the piece may have shrunk."""
        shares = []
        piece.heard = now
        count = min(count, piece.left)
        while count:
            part, offset = divmod(piece.position, self.part_bytes)
            share = Share(part, offset, min(count, self.part_bytes - offset))
            shares.append(share)
            piece.position += share.size
            self._missing[part] -= share.size
            count -= share.size
        return shares

    def parts_of(self, piece: RangePiece) -> range:
        """Return the parts that the piece has bytes of."""
        return range(piece.position // self.part_bytes, -(-piece.end // self.part_bytes))

    @property
    def is_fetched(self) -> bool:
        """True if no piece is left, and none can be given back."""
        if self._fresh or self._given_back:
            return False
        return not any(piece.left for piece in self.running)

    def is_whole(self, part: int) -> bool:
        return self._missing[part] == 0

    def give_back(self, piece: RangePiece) -> None:
        """End the piece. What is left of it goes to the next idle connection."""
        self.running.discard(piece)
        if piece.left:
            self._given_back.append(piece)

    def _run(self, start: int, end: int, now: float) -> RangePiece:
        piece = RangePiece(start, end, now, now)
        self.running.add(piece)
        return piece

    def _waiting(self, at: int) -> RangePiece | None:
        """Return the piece that begins at `at` and has no bytes yet: given back, or running."""
        for piece in self._given_back:
            if piece.position == at:
                self._given_back.remove(piece)
                return piece
        begins = (piece for piece in self.running if piece.position == piece.first == at)
        return next((piece for piece in begins if piece.left), None)

    def _split(self, now: float) -> RangePiece | None:
        # Not from one that waits for its first byte: another would have to wait as long.
        begun = [piece for piece in self.running if piece.left and piece.position > piece.first]
        silent = [piece for piece in begun if now - piece.heard > SILENT_SECONDS]
        if silent:
            return self._take_over(silent[0], silent[0].position, now)
        slowest = max(begun, key=lambda piece: piece.seconds_left(now), default=None)
        if slowest is None or slowest.left < MIN_SPLIT_BYTES:
            return None
        if slowest.seconds_left(now) < MIN_SPLIT_SECONDS:
            return None
        return self._take_over(slowest, slowest.position + slowest.left // 2, now)

    def _take_over(self, piece: RangePiece, start: int, now: float) -> RangePiece:
        end, piece.end = piece.end, start
        return self._run(start, end, now)
