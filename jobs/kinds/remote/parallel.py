"""Fetches the ranges of one file over several connections, which share the work."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty

from jobs.errors import RemoteError, RemoteRefused, RemoteUnavailable
from jobs.kinds.remote.assembly import STORING, Assembly
from jobs.kinds.remote.range_stream import RangeStream
from jobs.kinds.remote.ranges import RUN, RangePiece, RangePlan
from jobs.lib.digest import Digest
from jobs.outbound import LowSpeedLimit, RangesBroken, RemoteFile, RemoteResponse
from jobs.workspace import Workspace, WorkspaceParts

TICK_SECONDS = 0.1
FIRST_PAUSE_SECONDS = 0.5  # after a failed try; doubled each time
MAX_PAUSE_SECONDS = 8.0
MEMORY_BYTES = 512 * 1024 * 1024  # of all buffers
MAX_FAILURES = 3  # tries per connection in a row, all without a byte


class ParallelFetch:
    """Fetches the parts that are not stored yet. `run` is called once, by the builder's thread.

    Memory is bounded by threads * RUN + STORING parts, and by MEMORY_BYTES or two parts.
    """

    def __init__(
        self,
        remote: RemoteFile,
        parts: WorkspaceParts,
        size_bytes: int,
        validator: str,
        *,
        threads: int,
    ) -> None:
        self._remote, self._validator, self._threads = remote, validator, threads
        self._plan = RangePlan(size_bytes, parts.part_bytes, parts.stored)
        self._changed = threading.Condition()  # guards the plan and the assembly
        most = min(threads * RUN + STORING, max(MEMORY_BYTES // parts.part_bytes, 2))
        self._assembly = Assembly(parts, self._plan, most=most, lock=self._changed)
        self._streams: dict[RangePiece, RangeStream] = {}
        self._arrived = 0  # bytes
        self._failures = 0  # since the last byte
        self._is_over = False

    def run(self, first: RemoteResponse, work: Workspace) -> Digest:
        """Fetch the missing parts. Return the digest: of the whole file if no part was stored.

        `first` is a response that begins at the first missing part. It may reach to the end of the
        file; then one connection reads it as long as no other one is ahead. Raises the error of any
        thread.
        """
        try:
            for n in range(self._threads):
                args = [first] if n == 0 else []
                threading.Thread(target=self._work, args=args, name="fetch", daemon=True).start()
            self._watch(work)
        except (RemoteError, RangesBroken):
            self._stop()
            self._assembly.finish_storing()  # a later attempt need not fetch these again
            raise
        finally:
            self._stop()
            self._assembly.stop()
        return self._assembly.digest

    def _stop(self) -> None:
        self._is_over = True
        for stream in list(self._streams.values()):
            stream.response.abort()

    def _watch(self, work: Workspace) -> None:
        # Takes no lock: a signal handler may raise anywhere in here.
        limit, reported, at = LowSpeedLimit(), 0, time.monotonic()
        is_over = False
        while not is_over:
            with suppress(Empty):
                if error := self._assembly.ended.get(timeout_seconds=TICK_SECONDS):
                    raise error
                is_over = True
            arrived, now, running = self._arrived, time.monotonic(), len(self._plan.running)
            work.advance(arrived - reported, threads=running)
            limit.check(now - at if running else 0.0, arrived - reported)
            reported, at = arrived, now

    # The threads

    def _work(self, response: RemoteResponse | None = None) -> None:
        failures = 0  # in a row
        first = RangeStream(response) if response else None
        try:
            while piece := self._next(first):
                try:
                    has_bytes = self._fetch(piece, first)
                except (RemoteUnavailable, RemoteRefused) as error:  # too many connections, maybe
                    has_bytes = piece.position > piece.first
                    self._count_failure(has_bytes, error)
                finally:
                    self._release(piece)
                failures = 0 if has_bytes else failures + 1
                if failures:
                    self._pause(min(FIRST_PAUSE_SECONDS * 2 ** (failures - 1), MAX_PAUSE_SECONDS))
        except BaseException as error:
            self._assembly.ended.put(error)
        finally:
            if first:
                first.close()

    def _next(self, first: RangeStream | None) -> RangePiece | None:
        """Wait for the next piece to fetch; None if nothing is left."""
        with self._changed:
            while not self._is_over:
                at = first.position if first and first.left else None
                if piece := self._plan.take(time.monotonic(), room=self._assembly.room, at=at):
                    self._assembly.open(self._plan.parts_of(piece))
                    for other, stream in self._streams.items():
                        if not other.left:
                            stream.response.abort()
                    return piece
                if self._plan.is_fetched:
                    return None
                if first and self._assembly.room:  # other connections are ahead of it
                    first.close()
                self._changed.wait(TICK_SECONDS)
        return None

    def _fetch(self, piece: RangePiece, first: RangeStream | None) -> bool:
        """Fetch the piece. Raises RemoteUnavailable if the response is incomplete."""
        stream = self._stream(piece, first)
        with self._changed:
            self._streams[piece] = stream
        try:
            while self._write(piece, stream.read(piece.left)):
                pass
        except BaseException:
            stream.close()
            raise
        if stream is not first or not stream.left:
            stream.close()
        return True

    def _stream(self, piece: RangePiece, first: RangeStream | None) -> RangeStream:
        if first and first.has(piece):
            return first
        if first:
            first.close()
        start, last = piece.position, piece.end - 1
        return RangeStream(self._remote.range(start, last, self._validator, self._plan.size_bytes))

    def _write(self, piece: RangePiece, chunk: bytes) -> bool:
        """Return True if the range still has bytes to fetch.

        Another connection may have taken over its end.
        """
        with self._changed:
            if not chunk and piece.left and not self._is_over:
                raise RemoteUnavailable(f"{self._remote.host} closed the connection early.")
            rest = memoryview(chunk)
            for part, offset, size in self._plan.accept(piece, len(chunk), time.monotonic()):
                self._assembly.write(part, offset, rest[:size])
                rest = rest[size:]
                self._arrived += size
                self._failures = 0
                if self._plan.is_whole(part):
                    self._assembly.close(part)
            if not piece.left:  # the stream may be reused: do not abort it
                self._streams.pop(piece, None)
            return piece.left > 0 and not self._is_over

    def _release(self, piece: RangePiece) -> None:
        with self._changed:
            self._streams.pop(piece, None)
            self._plan.give_back(piece)
            self._changed.notify_all()

    def _count_failure(self, has_bytes: bool, error: RemoteError) -> None:
        """Raise the error after too many failures of all connections in a row."""
        with self._changed:
            self._failures = 0 if has_bytes else self._failures + 1
            if self._failures >= MAX_FAILURES * self._threads:
                raise error

    def _pause(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while not self._is_over and time.monotonic() < ends:
            time.sleep(TICK_SECONDS)
