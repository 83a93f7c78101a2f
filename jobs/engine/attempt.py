"""The Workspace of an attempt, which stores a builder's output and records its progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs import storage
from jobs.engine import quota
from jobs.engine.attached_files import AttachedFiles, named_after
from jobs.engine.bounded_output import BoundedOutput
from jobs.engine.heartbeat import Heartbeat
from jobs.errors import EmptyResult, NoRoom, SourceChanged, SourceMissing
from jobs.kinds.base import Kind
from jobs.kinds.registry import kind_folder
from jobs.lib.database import retry_database_write
from jobs.lib.digest import Digest
from jobs.lib.json_values import stored_json_value
from jobs.lib.names import safe_name
from jobs.lib.scratch import Scratch
from jobs.models import DownloadJob, StoredFile
from jobs.models.event import storable_event_text
from jobs.workspace import CHUNK_BYTES, LATE_DESCRIBE, NO_FILE, NOT_AS_STORED, Source

UPLOAD_GONE = "The uploaded file no longer exists. Upload it again."
MAX_MESSAGE_CHARS = 300
SAVED = "saved"  # the builder's value in the column `checkpoint`, beside the data of the parts
StorageOutput = storage.S3Output | storage.S3Parts


class Attempt:
    """The Workspace that workers use. jobs/workspace.py documents what builders call."""

    def __init__(self, job: DownloadJob, heartbeat: Heartbeat, kind: Kind) -> None:
        self._job = job
        self._heartbeat = heartbeat
        self._kind = kind
        self._content_type = kind.content_type
        self._output: BoundedOutput | None = None
        self._parts: storage.S3Parts | None = None
        self._found: storage.S3Parts | None = None  # parts of an earlier attempt
        self._kept: StoredFile | None = None  # the uploaded file, as an artifact
        self._files = AttachedFiles(job, kind.roles, new_output=self._new_output, key_of=self._key)
        self._scratch: Scratch | None = None
        self._read: Callable[[Source], Iterator[bytes]] = _read

    def describe(
        self, *, name: str = "", content_type: str = "", total_bytes: int | None = None
    ) -> None:
        if self._output:  # it has its key and its type already
            raise RuntimeError(LATE_DESCRIBE)
        self._content_type = content_type or self._content_type
        self._record(name=safe_name(name) if name else self._job.name, total=total_bytes)
        if total_bytes:
            self._check_room(total_bytes)

    def plan(self, total: int | None, unit: str) -> None:
        self._record(total=total, unit=unit)

    @property
    def output(self) -> BoundedOutput:
        if not self._kind.makes_file:
            raise RuntimeError(NO_FILE)
        if self._output is None:
            self._output = self._new_output(
                self._job.name,
                content_type=self._content_type,
                expected_bytes=self._expected_bytes,
            )
        return self._output

    @property
    def _expected_bytes(self) -> int:
        if not self._is_in_bytes:
            return 0
        return self._kind.max_work if self._job.total is None else self._job.total

    def first_gap(self) -> tuple[int, int | None]:
        if "key" in (kept := self._job.checkpoint or {}):
            with suppress(SourceMissing):  # it was deleted
                self._found = storage.S3Parts.resumed(kept)
        return self._found.first_gap if self._found else (0, None)

    def parts(self, total_bytes: int, validator: str) -> storage.S3Parts:
        kept = self._job.checkpoint or {}
        same = (kept.get("size_bytes"), kept.get("validator")) == (total_bytes, validator)
        if self._found and same:
            self._parts = self._found
            self._heartbeat.skip(sum(map(self._parts.size_of, self._parts.stored)))
        else:
            self._parts = self._new_parts(total_bytes, validator)
        return self._parts

    def drop_parts(self) -> None:
        if self._parts:
            self._record_checkpoint({})
            self._heartbeat.start_over()
            self._parts.discard()
            self._parts = None

    @property
    def checkpoint(self) -> Any:
        return (self._job.checkpoint or {}).get(SAVED)

    def save_checkpoint(self, value: Any) -> None:
        saved = {SAVED: stored_json_value(value, "The checkpoint")}
        self._record(checkpoint=(self._job.checkpoint or {}) | saved)

    def say(self, message: str) -> None:
        self._heartbeat.say(storable_event_text(message[:MAX_MESSAGE_CHARS]))

    def advance(self, amount: int, *, threads: int = 0) -> None:
        self._heartbeat.advance(amount, threads=threads)

    def received(self) -> Iterator[bytes]:
        file = self._received_file()
        if upload_id := self._job.params.get("upload_id"):
            self.say("Combining the parts")
            storage.complete_multipart_upload(file.key, upload_id, size_bytes=file.size_bytes)
            self.say("Checking the file")
        for chunk in storage.read_object(file.key):
            self.advance(len(chunk))
            yield chunk

    def keep(self, digest: Digest, *, content_type: str) -> None:
        file = self._received_file()
        if digest.size_bytes != file.size_bytes:
            raise SourceMissing(UPLOAD_GONE)
        file.sha256, file.crc32 = digest.sha256, digest.crc32
        file.content_type, file.role = content_type, StoredFile.Role.ARTIFACT
        self._kept = file

    def add_file(
        self, role: str, *, name: str = "", content_type: str
    ) -> AbstractContextManager[BoundedOutput]:
        return self._files.add(role, name=name, content_type=content_type)

    def attach(self, role: str, path: Path, *, content_type: str) -> None:
        name = named_after(self._job.name, role, path.suffix)
        size_bytes = path.stat().st_size
        with (
            self._files.add(
                role, name=name, content_type=content_type, expected_bytes=size_bytes
            ) as output,
            path.open("rb") as file,
        ):
            while chunk := file.read(CHUNK_BYTES):
                output.write(chunk)

    def reuse(self) -> bool:
        if self._kept is None:
            return False
        duplicate = StoredFile.objects.duplicate_of(self._kept, self._job.kind)
        if duplicate is None or duplicate.made_by is None:
            return False
        try:
            for preview in duplicate.made_by.files.previews():
                self._files.copy(preview)
        except SourceMissing:  # it expired meanwhile
            self._files.rows.clear()
            return False
        self.note(**duplicate.made_by.metadata)
        return True

    def note(self, **facts: Any) -> None:
        metadata = self._job.metadata | facts
        self._record(metadata=stored_json_value(metadata, "What was noted"))

    @property
    def scratch(self) -> Path:
        if self._scratch is None:
            self._scratch = Scratch()
        return self._scratch.folder

    def measured(self, sources: Sequence[Source]) -> Sequence[Source]:
        found: list[Source] = []
        unknown = (source for source in sources if source.size_bytes is None)
        with closing(storage.object_sizes(unknown)) as sizes:
            for number, source in enumerate(sources, 1):
                if source.size_bytes is None:
                    self.say(f"Checking {number} of {len(sources)}: {source.display_name}")
                    with _named(source):
                        source = replace(source, size_bytes=next(sizes))
                found.append(source)
        return found

    @contextmanager
    def read_ahead(self, sources: Sequence[Source]) -> Iterator[None]:
        with storage.ReadAhead(sources) as ahead:
            self._read = ahead.read
            yield
        self._read = _read

    def chunks(self, source: Source) -> Iterator[bytes]:
        with _named(source):
            for chunk in self._read(source):
                self.advance(len(chunk))
                yield chunk

    # Called by the runner, after the builder

    def finish(self) -> StoredFile | None:
        """Store the artifact. Return its unsaved row, or None if the kind makes no file.

        Raises EmptyResult, NoRoom, StorageUnavailable.
        """
        if self._kept:
            return self._kept
        if self._files.outputs:
            self._check_room(self._output.size_bytes if self._output else 0)
        if not self._kind.makes_file:
            return None
        if self._output is None and self._parts is None:
            raise EmptyResult("The job ended without making a file.")
        if self._parts is None:
            if not self._is_in_bytes:
                self._check_room(self.output.size_bytes)
            elif self._job.total is None:  # the size was unknown until now
                self._record(total=self.output.size_bytes)
                self._check_room(self.output.size_bytes)
            if self.output.is_in_parts:  # completing those may take the store minutes
                self.say("Storing the file")
            self.output.finish()
        output = self._parts or self.output
        return StoredFile(
            owner_id=self._job.owner_id,
            key=output.key,
            name=self._job.name,
            content_type=self._content_type,
            size_bytes=output.size_bytes,
            sha256=output.sha256,
            crc32=output.crc32,
            made_by=self._job,
            role=StoredFile.Role.ARTIFACT,
        )

    @property
    def others(self) -> list[StoredFile]:
        """The unsaved rows of attached files, whose objects are stored."""
        return self._files.rows

    @property
    def is_in_parts(self) -> bool:
        """Whether a multipart upload may be left open. Unknown for uploads, so True for them."""
        return self._kept is not None or any(each.is_in_parts for each in self._outputs())

    def leftovers(self) -> list[StorageOutput]:
        """Return the outputs to discard. Parts are kept if another attempt may follow."""
        unfinished = [*([self._output] if self._output else []), *self._files.outputs]
        found = self._outputs() if self._job.is_finished else unfinished
        # Not those with a row: the commit may have succeeded though its response was lost.
        rows = StoredFile.objects.in_own_bucket()
        return [each for each in found if not rows.filter(key=each.key).exists()]

    def close(self) -> None:
        """Remove the scratch folder."""
        if self._scratch:
            self._scratch.remove()

    @property
    def _is_in_bytes(self) -> bool:
        """Whether `total` is the size of the artifact, not a number of other units."""
        return self._job.unit == "bytes"

    def _received_file(self) -> StoredFile:
        """Return the row of the uploaded file. Raises SourceMissing."""
        file = self._job.files.received().first()
        if file is None:
            raise SourceMissing(UPLOAD_GONE)
        return file

    def _outputs(self) -> list[StorageOutput]:
        artifact = [each for each in (self._output, self._parts or self._found) if each]
        return [*artifact, *self._files.outputs]

    def _key(self, name: str) -> str:
        return f"{kind_folder(self._job)}{self._job.attempt}/{name}"

    def _new_parts(self, total_bytes: int, validator: str) -> storage.S3Parts:
        parts = storage.S3Parts(
            self._key(self._job.name), content_type=self._content_type, size_bytes=total_bytes
        )
        if checkpoint := parts.begin():
            self._record_checkpoint(checkpoint | {"validator": validator})
        return parts

    def _record_checkpoint(self, parts: dict[str, Any]) -> None:
        """Replace the data of the parts, and keep what the builder saved."""
        saved = {} if self.checkpoint is None else {SAVED: self.checkpoint}
        self._record(checkpoint=parts | saved or None)

    def _record(self, **values: Any) -> None:
        retry_database_write(lambda: self._job.record(**values))

    def _new_output(self, name: str, *, content_type: str, expected_bytes: int) -> BoundedOutput:
        def check_room(_: int) -> None:
            self._check_room(self._output.size_bytes if self._output else 0)

        return BoundedOutput(
            self._key(name),
            content_type=content_type,
            expected_bytes=expected_bytes,
            check_room=check_room,
        )

    def _check_room(self, total_bytes: int) -> None:
        """Raises NoRoom for an artifact of this size and the files beside it."""

        def check() -> None:
            if not quota.has_quota_for(self._job, total_bytes + self._files.size_bytes):
                raise NoRoom("The file needs more storage space than you have left.")

        retry_database_write(check)


def _read(source: Source) -> Iterator[bytes]:
    return storage.read_object(source.key, bucket_name=source.bucket, size_bytes=source.size_bytes)


@contextmanager
def _named(source: Source) -> Iterator[None]:
    """Name the source in the errors of the store."""
    try:
        yield
    except SourceMissing as error:
        facts = {"missingFileIds": [source.file_id]} if source.file_id else {}
        raise type(error)(f"{source.display_name} {error.problem}", facts=facts) from error
    except SourceChanged as error:
        raise SourceChanged(f"{source.display_name} {NOT_AS_STORED}") from error
