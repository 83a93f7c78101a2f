"""Which bytes of a file are fetched by which connection. Pure; whoever uses it holds a lock.

Parts of equal size are handed out from the front. A connection that finds none takes over half of
what the slowest one still has before it, or all of it if that fell silent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Set
from dataclasses import dataclass, field

MIN_SPLIT_BYTES = 128 * 1024  # what is left of less is not worth a request
MIN_SPLIT_SECONDS = 0.2
SILENT_SECONDS = 3.0


@dataclass(eq=False, slots=True)
class Piece:
    """Bytes from `position` to before `end`, all of one part. Times are of a monotonic clock."""

    part: int
    position: int
    end: int
    began: float
    heard: float  # when the last byte came
    first: int = field(init=False)

    def __post_init__(self) -> None:
        self.first = self.position

    @property
    def left(self) -> int:
        return self.end - self.position

    def seconds_left(self, now: float) -> float:
        """At the pace so far; 0 where nothing came yet, since nobody knows."""
        came = self.position - self.first
        return self.left * (now - self.began) / came if came else 0.0


class Plan:
    """`stored` are parts that need not be fetched."""

    def __init__(self, size_bytes: int, part_bytes: int, stored: Set[int] = frozenset()) -> None:
        self.size_bytes = size_bytes
        self.part_bytes = part_bytes
        self.parts = -(-size_bytes // part_bytes)
        self.running: set[Piece] = set()
        self._fresh: Iterator[int] = (n for n in range(self.parts) if n not in stored)
        self._next = next(self._fresh, None)
        self._given_back: deque[Piece] = deque()
        self._missing: dict[int, int] = {}  # bytes of the parts that were handed out

    def size_of(self, part: int) -> int:
        return min(self.part_bytes, self.size_bytes - part * self.part_bytes)

    def take(self, now: float, *, may_open: bool) -> Piece | None:
        """What a free connection does next. Only if it `may_open` one, a part not begun yet."""
        if self._given_back:
            piece = self._given_back.popleft()
            return self._run(piece.part, piece.position, piece.end, now)
        if may_open and self._next is not None:
            part, self._next = self._next, next(self._fresh, None)
            self._missing[part] = self.size_of(part)
            start = part * self.part_bytes
            return self._run(part, start, start + self.size_of(part), now)
        return self._split(now)

    def accept(self, piece: Piece, count: int, now: float) -> int:
        """So many bytes came: how many of them belong to the piece, which may have shrunk."""
        kept = min(count, piece.left)
        piece.position += kept
        piece.heard = now
        self._missing[piece.part] -= kept
        return kept

    @property
    def is_fetched(self) -> bool:
        """Nothing is left to take, and nothing can be given back any more."""
        if self._next is not None or self._given_back:
            return False
        return not any(piece.left for piece in self.running)

    def is_whole(self, part: int) -> bool:
        return self._missing[part] == 0

    def give_back(self, piece: Piece) -> None:
        """Its connection is done with it; what it lacks is for the next one that is free."""
        self.running.discard(piece)
        if piece.left:
            self._given_back.append(piece)

    def _run(self, part: int, start: int, end: int, now: float) -> Piece:
        piece = Piece(part, start, end, now, now)
        self.running.add(piece)
        return piece

    def _split(self, now: float) -> Piece | None:
        begun = [piece for piece in self.running if piece.left]
        silent = [piece for piece in begun if now - piece.heard > SILENT_SECONDS]
        if silent:
            return self._take_over(silent[0], silent[0].position, now)
        slowest = max(begun, key=lambda piece: piece.seconds_left(now), default=None)
        if slowest is None or slowest.left < MIN_SPLIT_BYTES:
            return None
        if slowest.seconds_left(now) < MIN_SPLIT_SECONDS:
            return None
        return self._take_over(slowest, slowest.position + slowest.left // 2, now)

    def _take_over(self, piece: Piece, start: int, now: float) -> Piece:
        end, piece.end = piece.end, start
        return self._run(piece.part, start, end, now)
