"""The workspace of one attempt: where a builder's bytes go, and who hears of its progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jobs import storage
from jobs.engine import quota
from jobs.engine.heartbeat import Heartbeat
from jobs.errors import NoRoom, SourceChanged, SourceMissing
from jobs.lib.database import retry_while_unavailable
from jobs.lib.digest import Digest
from jobs.lib.names import safe_name
from jobs.lib.scratch import Scratch
from jobs.models import DownloadJob, StoredFile
from jobs.workspace import CHUNK_BYTES, NOT_AS_STORED, Source

UPLOAD_GONE = "The uploaded file is gone. Upload it again."
Made = storage.S3Output | storage.S3Parts  # what was stored, or is being


class Attempt:
    """The real Workspace."""

    def __init__(
        self, job: DownloadJob, heartbeat: Heartbeat, *, content_type: str, max_bytes: int = 0
    ) -> None:
        self._job = job
        self._heartbeat = heartbeat
        self._content_type = content_type
        self._max_bytes = max_bytes  # of an artifact of a size that nobody knows
        self._output: storage.S3Output | None = None
        self._parts: storage.S3Parts | None = None
        self._found: storage.S3Parts | None = None  # of an earlier attempt
        self._kept: StoredFile | None = None  # of an upload: the file itself
        self._attached: list[StoredFile] = []
        self._scratch: Scratch | None = None
        self._read: Callable[[Source], Iterator[bytes]] = _read

    def describe(
        self, *, name: str = "", content_type: str = "", total_bytes: int | None = None
    ) -> None:
        self._content_type = content_type or self._content_type
        self._learn(name=name or self._job.name, total=total_bytes)
        if total_bytes:
            retry_while_unavailable(lambda: self._check_room(total_bytes))

    def plan(self, total: int, unit: str) -> None:
        self._learn(total=total, unit=unit)

    @property
    def output(self) -> storage.S3Output:
        if self._output is None:
            self._output = storage.S3Output(
                self._key(self._job.name),
                content_type=self._content_type,
                expected_bytes=self._expected_bytes,
            )
        return self._output

    @property
    def _expected_bytes(self) -> int:
        if not self._is_in_bytes:
            return 0
        return self._max_bytes if self._job.total is None else self._job.total

    def first_gap(self) -> tuple[int, int | None]:
        if kept := self._job.checkpoint:
            with suppress(SourceMissing):  # somebody collected it
                self._found = storage.S3Parts.resumed(kept)
        return self._found.first_gap if self._found else (0, None)

    def parts(self, total_bytes: int, validator: str) -> storage.S3Parts:
        kept = self._job.checkpoint or {}
        same = (kept.get("size_bytes"), kept.get("validator")) == (total_bytes, validator)
        if self._found and same:
            self._parts = self._found
            self._heartbeat.skip(sum(map(self._parts.size_of, self._parts.stored)))
        else:
            self._parts = self._begun(total_bytes, validator)
        return self._parts

    def drop_parts(self) -> None:
        if self._parts:
            self._learn(checkpoint=None)
            self._heartbeat.start_over()
            self._parts.discard()
            self._parts = None

    def say(self, message: str) -> None:
        self._heartbeat.say(message)

    def advance(self, amount: int, *, threads: int = 0) -> None:
        self._heartbeat.advance(amount, threads=threads)

    def received(self) -> Iterator[bytes]:
        file = self._received_file()
        if upload_id := self._job.params.get("upload_id"):
            self.say("Putting the parts together")
            storage.complete(file.key, upload_id, size_bytes=file.size_bytes)
            self.say("Checking the file")
        for chunk in storage.read(file.key):
            self.advance(len(chunk))
            yield chunk

    def keep(self, digest: Digest, *, content_type: str) -> None:
        file = self._received_file()
        if digest.size_bytes != file.size_bytes:
            raise SourceMissing(UPLOAD_GONE)
        file.sha256, file.crc32 = digest.sha256, digest.crc32
        file.content_type, file.role = content_type, StoredFile.Role.ARTIFACT
        self._kept = file

    def attach(self, role: str, path: Path, *, content_type: str) -> None:
        output = storage.S3Output(
            self._key(f"{role}{path.suffix}"),
            content_type=content_type,
            expected_bytes=path.stat().st_size,
        )
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                output.write(chunk)
        output.finish()
        self._attach(
            StoredFile(
                key=output.key,
                content_type=content_type,
                size_bytes=output.size_bytes,
                sha256=output.sha256,
                crc32=output.crc32,
                role=role,
            ),
            suffix=path.suffix,
        )

    def reuse(self) -> bool:
        if self._kept is None:
            return False
        twin = StoredFile.objects.duplicate_of(self._kept)
        if twin is None or twin.made_by is None:
            return False
        try:
            for made in twin.made_by.files.previews():
                self._attach_copy(made)
        except SourceMissing:  # it expires at this moment
            self._attached.clear()
            return False
        self.note(**twin.made_by.metadata)
        return True

    def note(self, **facts: Any) -> None:
        self._learn(metadata=self._job.metadata | facts)

    @property
    def scratch(self) -> Path:
        if self._scratch is None:
            self._scratch = Scratch()
        return self._scratch.folder

    @contextmanager
    def read_ahead(self, sources: Sequence[Source]) -> Iterator[None]:
        with storage.ReadAhead((source.key, source.size_bytes) for source in sources) as ahead:
            self._read = lambda source: ahead.read(source.key)
            yield
        self._read = _read

    def chunks(self, source: Source) -> Iterator[bytes]:
        try:
            for chunk in self._read(source):
                self.advance(len(chunk))
                yield chunk
        except SourceMissing as error:
            raise SourceMissing(f"{source.label} could not be found.") from error
        except SourceChanged as error:
            raise SourceChanged(f"{source.label} {NOT_AS_STORED}") from error

    # What the runner does with it, the builder having returned or not

    def finish(self) -> StoredFile:
        """The artifact, whose object is stored now; its row is not saved yet."""
        if self._kept:
            return self._kept
        if self._parts is None:
            if not self._is_in_bytes:
                retry_while_unavailable(lambda: self._check_room(self.output.size_bytes))
            elif self._job.total is None:  # nobody knew it, and whether there is room for it
                self.describe(total_bytes=self.output.size_bytes)
            if self.output.is_in_parts:  # which the store may take minutes to put together
                self.say("Storing the file")
            self.output.finish()
        made = self._parts or self.output
        return StoredFile(
            owner_id=self._job.owner_id,
            key=made.key,
            name=self._job.name,
            content_type=self._content_type,
            size_bytes=made.size_bytes,
            sha256=made.sha256,
            crc32=made.crc32,
            made_by=self._job,
            role=StoredFile.Role.ARTIFACT,
        )

    @property
    def others(self) -> list[StoredFile]:
        """What goes along with the artifact."""
        return self._attached

    @property
    def is_in_parts(self) -> bool:
        # What web processes and the store's copying did to an upload, only a look can tell.
        return self._kept is not None or any(made.is_in_parts for made in self._made())

    def leftovers(self) -> list[Made]:
        """What nobody will want any more. Parts stay for the next attempt, if there may be one."""
        made = self._made() if self._job.is_finished else [self._output] if self._output else []
        # If the commit got through, and only its answer was lost, the object is wanted.
        return [each for each in made if not StoredFile.objects.filter(key=each.key).exists()]

    def close(self) -> None:
        if self._scratch:
            self._scratch.remove()

    @property
    def _is_in_bytes(self) -> bool:
        """What there is to do. Else it is known, and not what the artifact will weigh."""
        return self._job.unit == "bytes"

    def _received_file(self) -> StoredFile:
        """Raises SourceMissing."""
        file = self._job.files.received().first()
        if file is None:
            raise SourceMissing(UPLOAD_GONE)
        return file

    def _attach_copy(self, made: StoredFile) -> None:
        suffix = Path(made.name).suffix
        key = self._key(f"{made.role}{suffix}")
        storage.copy(made.key, key)
        made.pk, made._state.adding, made.key = None, True, key
        self._attach(made, suffix=suffix)

    def _attach(self, file: StoredFile, *, suffix: str) -> None:
        file.owner_id, file.made_by = self._job.owner_id, self._job
        file.name = safe_name(f"{Path(self._job.name).stem} {file.role}{suffix}")
        file.take_number()
        self._attached.append(file)

    def _made(self) -> list[Made]:
        return [made for made in (self._output, self._parts or self._found) if made]

    def _key(self, name: str) -> str:
        return f"{self._job.folder}{self._job.attempt}/{name}"

    def _begun(self, total_bytes: int, validator: str) -> storage.S3Parts:
        parts = storage.S3Parts(
            self._key(self._job.name), content_type=self._content_type, size_bytes=total_bytes
        )
        if checkpoint := parts.begin():
            self._learn(checkpoint=checkpoint | {"validator": validator})
        return parts

    def _learn(self, **found: Any) -> None:
        retry_while_unavailable(lambda: self._job.record(**found))

    def _check_room(self, total_bytes: int) -> None:
        if not quota.has_room(self._job, total_bytes):
            raise NoRoom("The file would take up more room than you have.")


def _read(source: Source) -> Iterator[bytes]:
    return storage.read(source.key, size_bytes=source.size_bytes)
