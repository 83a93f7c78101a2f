"""A Workspace in memory, with the rules of the real one in jobs/engine/attempt.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jobs.engine.attached_files import check_role, default_name, named_after
from jobs.errors import EmptyResult, Interrupted, SourceChanged, SourceMissing
from jobs.kinds.base import Kind
from jobs.lib.digest import Digest
from jobs.lib.json_values import stored_json_value
from jobs.lib.names import safe_name
from jobs.lib.scratch import Scratch
from jobs.testing.memory_output import MemoryOutput, MemoryParts
from jobs.workspace import CHUNK_BYTES, LATE_DESCRIBE, NO_FILE, NOT_AS_STORED, Source


@dataclass(frozen=True)
class MemoryFile:
    """A file that the builder made beside the artifact."""

    content: bytes
    name: str
    content_type: str


@dataclass
class MemoryWorkspace:
    """Records what a builder does. The first fields are what it starts with.

    `sources` are the contents of stored files by key, or by "bucket/key" in other buckets;
    `uploaded` is the file that `received` yields. With `cancel_after`, that call of a method or of
    `output.write` raises Interrupted.
    """

    kind: type[Kind] = Kind
    name: str = "file"
    sources: Mapping[str, bytes] = field(default_factory=dict)
    uploaded: bytes | None = None
    cancel_after: int | None = None
    checkpoint: Any = None

    content_type: str = ""
    messages: list[str] = field(default_factory=list)
    progress: list[tuple[int, int | None, str]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    files: dict[str, MemoryFile] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.content_type = self.kind.content_type
        self._calls = 0
        self._done = 0
        self._total: int | None = None
        self._unit = "bytes"
        self._output: MemoryOutput | None = None
        self._parts: MemoryParts | None = None
        self._is_kept = False
        self._scratch: Scratch | None = None
        self._order: list[Source] | None = None  # inside read_ahead

    def called(self) -> None:
        """Count a call. Raises Interrupted at the one that `cancel_after` names."""
        self._calls += 1
        if self.cancel_after is not None and self._calls >= self.cancel_after:
            raise Interrupted(cancelled=True)

    def describe(
        self, *, name: str = "", content_type: str = "", total_bytes: int | None = None
    ) -> None:
        self.called()
        if self._output:
            raise RuntimeError(LATE_DESCRIBE)
        self.name = safe_name(name) if name else self.name
        self.content_type = content_type or self.content_type
        self._total = total_bytes

    def plan(self, total: int | None, unit: str) -> None:
        self.called()
        self._total, self._unit = total, unit

    @property
    def output(self) -> MemoryOutput:
        if not self.kind.makes_file:
            raise RuntimeError(NO_FILE)
        if self._output is None:
            self._output = MemoryOutput(self.called)
        return self._output

    def first_gap(self) -> tuple[int, int | None]:
        return 0, None

    def parts(self, total_bytes: int, validator: str) -> MemoryParts:
        self.called()
        self._parts = MemoryParts(total_bytes)
        return self._parts

    def drop_parts(self) -> None:
        self.called()
        self._parts = None

    def save_checkpoint(self, value: Any) -> None:
        self.called()
        self.checkpoint = stored_json_value(value, "The checkpoint")

    def say(self, message: str) -> None:
        self.messages.append(message)
        self.called()

    def advance(self, amount: int, *, threads: int = 0) -> None:
        self._done += amount
        self.progress.append((self._done, self._total, self._unit))
        self.called()

    def received(self) -> Iterator[bytes]:
        if self.uploaded is None:
            raise SourceMissing("The uploaded file no longer exists. Upload it again.")
        yield from self._pieces(self.uploaded)

    def keep(self, digest: Digest, *, content_type: str) -> None:
        self.called()
        if self.uploaded is None or digest.size_bytes != len(self.uploaded):
            raise SourceMissing("The uploaded file no longer exists. Upload it again.")
        self.content_type, self._is_kept = content_type, True

    @contextmanager
    def add_file(self, role: str, *, name: str = "", content_type: str) -> Iterator[MemoryOutput]:
        self.called()
        check_role(role, self.kind.roles, set(self.files))
        name = safe_name(name) if name else default_name(self.name, role, content_type)
        output = MemoryOutput(self.called)
        yield output
        self.files[role] = MemoryFile(bytes(output.content), name, content_type)

    def attach(self, role: str, path: Path, *, content_type: str) -> None:
        name = named_after(self.name, role, path.suffix)
        with self.add_file(role, name=name, content_type=content_type) as output:
            output.write(path.read_bytes())

    def reuse(self) -> bool:
        return False

    def note(self, **facts: Any) -> None:
        self.called()
        self.metadata = stored_json_value(self.metadata | facts, "What was noted")

    @property
    def scratch(self) -> Path:
        if self._scratch is None:
            self._scratch = Scratch()
        return self._scratch.folder

    def measured(self, sources: Sequence[Source]) -> Sequence[Source]:
        self.called()
        return [
            replace(source, size_bytes=len(self._stored(source)))
            if source.size_bytes is None
            else source
            for source in sources
        ]

    @contextmanager
    def read_ahead(self, sources: Sequence[Source]) -> Iterator[None]:
        self._order = list(sources)
        yield
        self._order = None

    def chunks(self, source: Source) -> Iterator[bytes]:
        if self._order is not None and (not self._order or self._order.pop(0) != source):
            raise RuntimeError("Read the sources in the order of read_ahead.")
        content = self._stored(source)
        if source.size_bytes not in (None, len(content)):
            raise SourceChanged(f"{source.display_name} {NOT_AS_STORED}")
        yield from self._pieces(content)

    @property
    def written_bytes(self) -> int:
        """The size of the artifact so far."""
        made = self._parts or self._output
        return len(made.content) if made else 0

    @property
    def content(self) -> bytes:
        """The artifact; empty if the kind makes no file. Raises EmptyResult."""
        if not self.kind.makes_file:
            return b""
        if self._is_kept and self.uploaded is not None:
            return self.uploaded
        made = self._parts or self._output
        if made is None:
            raise EmptyResult("The job ended without making a file.")
        return bytes(made.content)

    def close(self) -> None:
        """Remove the scratch folder."""
        if self._scratch:
            self._scratch.remove()
            self._scratch = None

    def _stored(self, source: Source) -> bytes:
        key = f"{source.bucket}/{source.key}" if source.bucket else source.key
        if key not in self.sources:
            raise SourceMissing(f"{source.display_name} {SourceMissing.problem}")
        return self.sources[key]

    def _pieces(self, content: bytes) -> Iterator[bytes]:
        for start in range(0, len(content), CHUNK_BYTES):
            piece = content[start : start + CHUNK_BYTES]
            self.advance(len(piece))
            yield piece
