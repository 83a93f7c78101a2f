"""What a builder is given: sources to read, an output to write, somebody to tell.

Builders know only this contract; runner.py makes the real one, tests make small ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from jobs.lib.digest import Digest

CHUNK_BYTES = 1024 * 1024
NOT_AS_STORED = "is not what it was when it was stored."


@dataclass(frozen=True, slots=True)
class Source:
    """One stored file that a builder reads. Size and CRC-32 were recorded when it was stored."""

    label: str  # to people: "File 70000"
    key: str
    name: str
    size_bytes: int
    crc32: int
    made_at: datetime


class Output(Protocol):
    """The artifact on its way into object storage: written front to back, never read."""

    def write(self, chunk: bytes) -> None: ...

    @property
    def sha256(self) -> str:
        """Of what was written so far."""


class Parts(Protocol):
    """The artifact in numbered parts, from 0; all have `part_bytes`, but the last.

    `stored` are there already: an earlier attempt put them.
    """

    @property
    def part_bytes(self) -> int: ...

    @property
    def stored(self) -> Set[int]: ...

    def put(self, number: int, part: bytes | bytearray) -> None:
        """From any thread. Raises StorageUnavailable."""

    def finish(self, digest: Digest) -> None:
        """All parts being put, make one object of them. It is read back if `digest` lacks some."""

    @property
    def sha256(self) -> str:
        """Of all of it, once it is finished."""


class Workspace(Protocol):
    """One attempt. Every method may raise Interrupted; then clean up nothing and let it pass.

    They belong to the thread that `build` was called in. The artifact is written either to
    `output` or to `parts`; what is told before of its name and type is what it gets.
    """

    def describe(
        self, *, name: str = "", content_type: str = "", total_bytes: int | None = None
    ) -> None:
        """What was found out about the artifact. Raises NoRoom where it is too much for its owner.

        `total_bytes` is also what there is to do, for progress; None where nobody knows.
        """

    def plan(self, total: int, unit: str) -> None:
        """There is so much to do, where bytes would not tell how far it is. `advance` counts it."""

    @property
    def output(self) -> Output: ...

    def first_gap(self) -> tuple[int, int | None]:
        """Where the first byte is that no earlier attempt put into parts, and where the gap ends.

        0 and None where there are no such parts.
        """

    def parts(self, total_bytes: int, validator: str) -> Parts:
        """Where an earlier attempt at the same size and validator stopped, or new ones."""

    def drop_parts(self) -> None:
        """Forget what was put, also for later attempts, and make way for `output`."""

    def say(self, message: str) -> None:
        """Tell people what is being done now, in one short sentence."""

    def advance(self, amount: int, *, threads: int = 0) -> None:
        """So much more is done, by so many threads at the moment."""

    def received(self) -> Iterator[bytes]:
        """The uploaded file's bytes; each counts as progress. It is put together first, if it came
        in parts.

        Raises SourceMissing if it is gone, StorageUnavailable if it cannot be read.
        """

    def keep(self, digest: Digest, *, content_type: str) -> None:
        """What was received is the artifact, as it is."""

    def attach(self, role: str, path: Path, *, content_type: str) -> None:
        """Store a file that was made of the artifact, to go along with it."""

    def reuse(self) -> bool:
        """Attach what was made of the same content before, if anything was."""

    def note(self, **facts: Any) -> None:
        """Facts about the artifact, for whoever asks: `pages`, `width`."""

    @property
    def scratch(self) -> Path:
        """A folder on this machine's disk, which goes with the attempt."""

    def read_ahead(self, sources: Sequence[Source]) -> AbstractContextManager[None]:
        """Within it, `chunks` is called for each of these in this order, and may fetch some before.

        What is wrong with one is raised when it is its turn.
        """

    def chunks(self, source: Source) -> Iterator[bytes]:
        """The source's bytes, at most CHUNK_BYTES at a time; each counts as progress.

        Raises SourceMissing if the object is gone, SourceChanged if it is another one or becomes
        one meanwhile, StorageUnavailable if it cannot be read.
        """
