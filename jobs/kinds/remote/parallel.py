"""Many connections that fetch the ranges of one file, and help each other out."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty

from jobs.errors import RemoteError, RemoteRefused, RemoteUnavailable
from jobs.kinds.remote.assembly import STORING, Assembly
from jobs.kinds.remote.ranges import RUN, Piece, Plan
from jobs.lib.digest import Digest
from jobs.outbound import LowSpeedLimit, RangesBroken, RemoteFile, RemoteResponse
from jobs.workspace import Parts, Workspace

TICK_SECONDS = 0.1
FIRST_REST_SECONDS = 0.5  # of a connection that got nothing; then twice as long each time
MAX_REST_SECONDS = 8.0
MEMORY_BYTES = 512 * 1024 * 1024  # of all parts that are being fetched and stored
FUTILE = 3  # tries of each connection in turn, none of which brought a byte


class Fetch:
    """All parts that are not stored yet. `run` is called once, by the builder's thread.

    Memory is bounded by threads * RUN + STORING parts, and by MEMORY_BYTES or two parts.
    """

    def __init__(
        self, remote: RemoteFile, parts: Parts, size_bytes: int, validator: str, *, threads: int
    ) -> None:
        self._remote, self._validator, self._threads = remote, validator, threads
        self._plan = Plan(size_bytes, parts.part_bytes, parts.stored)
        self._changed = threading.Condition()  # guards the plan and the assembly
        most = min(threads * RUN + STORING, max(MEMORY_BYTES // parts.part_bytes, 2))
        self._assembly = Assembly(parts, self._plan, most=most, lock=self._changed)
        self._streams: dict[Piece, Stream] = {}
        self._arrived = 0  # bytes
        self._futile = 0  # tries since the last byte
        self._is_over = False

    def run(self, first: RemoteResponse, work: Workspace) -> Digest:
        """Of the file, if no part was stored before. Raises what one of the threads met.

        `first` is an answer that begins where the first part that is missing does. It may go on to
        the end of the file; then one connection reads on in it as long as nobody is ahead.
        """
        try:
            for n in range(self._threads):
                given = [first] if n == 0 else []
                threading.Thread(target=self._work, args=given, name="fetch", daemon=True).start()
            self._watch(work)
        except (RemoteError, RangesBroken):
            self._stop()
            self._assembly.store_the_rest()  # so much less for later, and nothing comes after it
            raise
        finally:
            self._stop()
            self._assembly.stop()
        return self._assembly.digest

    def _stop(self) -> None:
        self._is_over = True
        for stream in list(self._streams.values()):
            stream.answer.abort()

    def _watch(self, work: Workspace) -> None:
        # Takes no lock: an interrupt may come anywhere in here.
        pace, told, at = LowSpeedLimit(), 0, time.monotonic()
        is_over = False
        while not is_over:
            with suppress(Empty):
                if error := self._assembly.ended.get(timeout_seconds=TICK_SECONDS):
                    raise error
                is_over = True
            arrived, now, running = self._arrived, time.monotonic(), len(self._plan.running)
            work.advance(arrived - told, threads=running)
            pace.check(now - at if running else 0.0, arrived - told)
            told, at = arrived, now

    # What each of the threads does

    def _work(self, given: RemoteResponse | None = None) -> None:
        futile = 0  # tries in a row
        first = Stream(given) if given else None
        try:
            while piece := self._next(first):
                try:
                    came = self._fetch(piece, first)
                except (RemoteUnavailable, RemoteRefused) as error:  # too many at once, perhaps
                    came = piece.position > piece.first
                    self._count(came, error)
                finally:
                    self._put_down(piece)
                futile = 0 if came else futile + 1
                if futile:
                    self._rest(min(FIRST_REST_SECONDS * 2 ** (futile - 1), MAX_REST_SECONDS))
        except BaseException as error:
            self._assembly.ended.put(error)
        finally:
            if first:
                first.close()

    def _next(self, first: Stream | None) -> Piece | None:
        """Waits for something to do; None once there is nothing any more."""
        with self._changed:
            while not self._is_over:
                at = first.position if first and first.left else None
                if piece := self._plan.take(time.monotonic(), room=self._assembly.room, at=at):
                    self._assembly.open(self._plan.parts_of(piece))
                    for other, stream in self._streams.items():
                        if not other.left:
                            stream.answer.abort()
                    return piece
                if self._plan.is_fetched:
                    return None
                if first and self._assembly.room:  # others are ahead of it
                    first.close()
                self._changed.wait(TICK_SECONDS)
        return None

    def _fetch(self, piece: Piece, first: Stream | None) -> bool:
        """Whether a byte came. Raises RemoteUnavailable if it breaks off before the end."""
        stream = self._stream(piece, first)
        with self._changed:
            self._streams[piece] = stream
        try:
            while self._keep(piece, stream.read(piece.left)):
                pass
        except BaseException:
            stream.close()
            raise
        if stream is not first or not stream.left:
            stream.close()
        return True

    def _stream(self, piece: Piece, first: Stream | None) -> Stream:
        if first and first.has(piece):
            return first
        if first:
            first.close()
        start, last = piece.position, piece.end - 1
        return Stream(self._remote.range(start, last, self._validator, self._plan.size_bytes))

    def _keep(self, piece: Piece, chunk: bytes) -> bool:
        """Whether the piece lacks more: somebody may have taken over what follows."""
        with self._changed:
            if not chunk and piece.left and not self._is_over:
                raise RemoteUnavailable(f"{self._remote.host} closed the connection early.")
            rest = memoryview(chunk)
            for part, offset, size in self._plan.accept(piece, len(chunk), time.monotonic()):
                self._assembly.write(part, offset, rest[:size])
                rest = rest[size:]
                self._arrived += size
                self._futile = 0
                if self._plan.is_whole(part):
                    self._assembly.close(part)
            if not piece.left:  # nobody may shut what is read on in
                self._streams.pop(piece, None)
            return piece.left > 0 and not self._is_over

    def _put_down(self, piece: Piece) -> None:
        with self._changed:
            self._streams.pop(piece, None)
            self._plan.give_back(piece)
            self._changed.notify_all()

    def _count(self, came: bool, error: RemoteError) -> None:
        with self._changed:
            self._futile = 0 if came else self._futile + 1
            if self._futile >= FUTILE * self._threads:
                raise error

    def _rest(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while not self._is_over and time.monotonic() < ends:
            time.sleep(TICK_SECONDS)


class Stream:
    """An answer that is read a piece at a time. `position` is of the next byte, in the file."""

    def __init__(self, answer: RemoteResponse) -> None:
        self.answer = answer
        self.position = answer.first
        self._end = 0 if answer.last is None else answer.last + 1
        self._held = b""  # came with the end of the last piece

    @property
    def left(self) -> int:
        return self._end - self.position

    def has(self, piece: Piece) -> bool:
        return self.position == piece.position and self._end >= piece.end

    def read(self, most_bytes: int) -> bytes:
        chunk = self._held or self.answer.read()
        read, self._held = chunk[:most_bytes], chunk[most_bytes:]
        self.position += len(read)
        return read

    def close(self) -> None:
        """Nothing is left then. Idempotent."""
        self._end = self.position
        self.answer.close()
