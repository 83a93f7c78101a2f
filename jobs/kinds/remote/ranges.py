"""Which bytes of a file are fetched by which connection. Pure; whoever uses it holds a lock.

Parts of equal size are handed out from the front, a few in a row for each request. A connection
that finds none takes over half of what the slowest one still has before it, or all of it if that
fell silent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set
from dataclasses import dataclass, field
from typing import NamedTuple

RUN = 2  # parts that one request asks for: more would wait long for their turn to be hashed
MIN_SPLIT_BYTES = 128 * 1024  # what is left of less is not worth a request
MIN_SPLIT_SECONDS = 0.2
SILENT_SECONDS = 3.0


@dataclass(eq=False, slots=True)
class Piece:
    """Bytes from `position` to before `end`. Times are of a monotonic clock."""

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
        """At the pace so far, once something came."""
        return self.left * (now - self.began) / (self.position - self.first)


class Share(NamedTuple):
    """Bytes that belong into a part."""

    part: int
    offset: int
    size: int


class Plan:
    """`stored` are parts that need not be fetched."""

    def __init__(self, size_bytes: int, part_bytes: int, stored: Set[int] = frozenset()) -> None:
        self.size_bytes = size_bytes
        self.part_bytes = part_bytes
        self.parts = -(-size_bytes // part_bytes)
        self.running: set[Piece] = set()
        self._fresh = deque(n for n in range(self.parts) if n not in stored)
        self._given_back: deque[Piece] = deque()
        self._missing = {n: self.size_of(n) for n in self._fresh}  # bytes, by part

    def size_of(self, part: int) -> int:
        return min(self.part_bytes, self.size_bytes - part * self.part_bytes)

    def take(self, now: float, *, room: int, at: int | None = None) -> Piece | None:
        """What a free connection does next. No more than `room` parts are begun for it.

        What begins `at` this byte comes first: the connection need not ask for that.
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

    def accept(self, piece: Piece, count: int, now: float) -> list[Share]:
        """So many bytes came: where those belong that are of the piece, which may have shrunk."""
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

    def parts_of(self, piece: Piece) -> range:
        """Those that it has bytes of."""
        return range(piece.position // self.part_bytes, -(-piece.end // self.part_bytes))

    @property
    def is_fetched(self) -> bool:
        """Nothing is left to take, and nothing can be given back any more."""
        if self._fresh or self._given_back:
            return False
        return not any(piece.left for piece in self.running)

    def is_whole(self, part: int) -> bool:
        return self._missing[part] == 0

    def give_back(self, piece: Piece) -> None:
        """Its connection is done with it; what it lacks is for the next one that is free."""
        self.running.discard(piece)
        if piece.left:
            self._given_back.append(piece)

    def _run(self, start: int, end: int, now: float) -> Piece:
        piece = Piece(start, end, now, now)
        self.running.add(piece)
        return piece

    def _waiting(self, at: int) -> Piece | None:
        """What begins there and no byte has come of: given back, or asked for by another."""
        for piece in self._given_back:
            if piece.position == at:
                self._given_back.remove(piece)
                return piece
        begins = (piece for piece in self.running if piece.position == piece.first == at)
        return next((piece for piece in begins if piece.left), None)

    def _split(self, now: float) -> Piece | None:
        # One that waits for its first byte is left to wait: another would have to wait as long.
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

    def _take_over(self, piece: Piece, start: int, now: float) -> Piece:
        end, piece.end = piece.end, start
        return self._run(start, end, now)
