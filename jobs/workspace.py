"""The interface between a builder and its attempt: sources to read, an output, and progress.

Builders know only these protocols. engine/attempt.py implements them, jobs/testing/ for tests.
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
NOT_AS_STORED = "has changed since it was stored."
NO_FILE = "The kind has `makes_file = False`, so it has no output."
LATE_DESCRIBE = "Call describe before the first write to output."


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An object in the store that a builder reads.

    It is in the service's own bucket, or in another one that the same credentials can read. What is
    known of its size and CRC-32 is checked when it is read.
    """

    key: str
    name: str  # for people, and in an archive: "invoice.pdf", or "2026/05/invoice.pdf"
    bucket: str = ""  # empty: the service's own
    size_bytes: int | None = None
    crc32: int | None = None
    made_at: datetime | None = None
    label: str = ""  # for messages: "Invoice 7"; its name by default
    file_id: int | None = None  # if it is a numbered file of the service

    @property
    def display_name(self) -> str:
        return self.label or self.name


class WorkspaceOutput(Protocol):
    """The artifact, written sequentially to object storage."""

    def write(self, chunk: bytes) -> None:
        """Append a chunk. Raises StorageUnavailable, and NoRoom if the owner's space is used up."""

    @property
    def sha256(self) -> str:
        """SHA-256 of what was written so far."""


class WorkspaceParts(Protocol):
    """The artifact in parts, numbered from 0. All but the last have `part_bytes`.

    `stored` are the numbers of parts that an earlier attempt stored.
    """

    @property
    def part_bytes(self) -> int: ...

    @property
    def stored(self) -> Set[int]: ...

    def put(self, number: int, part: bytes | bytearray) -> None:
        """Store a part. Any thread may call it. Raises StorageUnavailable."""

    def finish(self, digest: Digest) -> None:
        """Make one object of the parts, all stored. It is read back if `digest` is incomplete."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the artifact, after `finish`."""


class Workspace(Protocol):
    """What a builder uses during an attempt.

    Call its methods in the thread of `build`. Each may raise Interrupted: do not catch it. Write
    the artifact either to `output` or to `parts`, after `describe`, which sets its name and type.
    """

    def describe(
        self, *, name: str = "", content_type: str = "", total_bytes: int | None = None
    ) -> None:
        """Set the artifact's name, type and size. Raises NoRoom if the owner has no room for it.

        The name is made safe for every system: `../a.csv` becomes `a.csv`.
        `total_bytes` is also the total for the progress; None if it is unknown.
        """

    def plan(self, total: int | None, unit: str) -> None:
        """Set the total for the progress in another unit than bytes, for `advance` to count.

        None if it is unknown.
        """

    @property
    def output(self) -> WorkspaceOutput:
        """The artifact, to be written sequentially.

        A builder that reads this and writes nothing makes an empty file. One that never does fails
        with EmptyResult.
        """

    def first_gap(self) -> tuple[int, int | None]:
        """Return the first byte that no earlier attempt stored, and where that gap ends.

        Return 0 and None if no parts are stored.
        """

    def parts(self, total_bytes: int, validator: str) -> WorkspaceParts:
        """Resume the parts of an earlier attempt at the same version, or start new ones."""

    def drop_parts(self) -> None:
        """Delete all parts. Then the artifact can be written to `output`."""

    @property
    def checkpoint(self) -> Any:
        """What an earlier attempt of this job saved last; None at first.

        The output starts anew in each attempt, so this is for work outside of it. A job that its
        owner retries starts from None.
        """

    def save_checkpoint(self, value: Any) -> None:
        """Store a JSON value of at most 16 KiB, which the next attempt reads as `checkpoint`.

        Raises TypeError, ValueError. Runs a query, so call it every few seconds.
        """

    def say(self, message: str) -> None:
        """Set the job's message, one short sentence about the current step: 300 characters."""

    def advance(self, amount: int, *, threads: int = 0) -> None:
        """Add to the work done, and set the number of active threads."""

    def received(self) -> Iterator[bytes]:
        """Yield the uploaded file, and count its bytes as progress.

        If it came in chunks, its multipart upload is completed first. Raises SourceMissing if it is
        gone, StorageUnavailable if it cannot be read.
        """

    def keep(self, digest: Digest, *, content_type: str) -> None:
        """Make the uploaded file the artifact. Raises SourceMissing if it has another size."""

    def add_file(
        self, role: str, *, name: str = "", content_type: str
    ) -> AbstractContextManager[WorkspaceOutput]:
        """Store another file of the result: what is written to the output inside.

        `role` is one of the kind's `roles`, and has one file. Raises ValueError otherwise, NoRoom
        and StorageUnavailable.
        """

    def attach(self, role: str, path: Path, *, content_type: str) -> None:
        """Store a file of the disk as another file of the result, such as a preview."""

    def reuse(self) -> bool:
        """Attach copies of the previews of the same content. Return False if there are none."""

    def note(self, **facts: Any) -> None:
        """Add metadata of the result, such as `pages` or `width`: at most 16 KiB of JSON.

        Raises TypeError, ValueError.
        """

    @property
    def scratch(self) -> Path:
        """A folder on this machine's disk, which is removed after the attempt."""

    def measured(self, sources: Sequence[Source]) -> Sequence[Source]:
        """Return the sources with all sizes. Those that are unknown are looked up, a few at once.

        Raises SourceMissing and StorageUnavailable.
        """

    def read_ahead(self, sources: Sequence[Source]) -> AbstractContextManager[None]:
        """Fetch sources in advance. Inside, call `chunks` for each of them, in this order.

        Those of unknown size are fetched at their turn. Errors are raised at a source's turn.
        """

    def chunks(self, source: Source) -> Iterator[bytes]:
        """Yield the source in chunks of at most CHUNK_BYTES, and count its bytes as progress.

        Raises SourceMissing if the object is gone, SourceChanged if it is not the recorded one or
        changes meanwhile, StorageUnavailable if it cannot be read.
        """
