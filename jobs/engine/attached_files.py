"""The files that an attempt makes beside its artifact, each with a role."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from mimetypes import MimeTypes
from pathlib import Path
from typing import Protocol

from jobs import storage
from jobs.engine.bounded_output import BoundedOutput
from jobs.lib.names import safe_name
from jobs.models import DownloadJob, StoredFile

TYPES = MimeTypes()  # Python's own: those of the machine would differ


class NewOutput(Protocol):
    def __call__(self, name: str, *, content_type: str, expected_bytes: int) -> BoundedOutput: ...


class AttachedFiles:
    """`rows` are unsaved, and their objects are stored. `outputs` are all that were begun."""

    def __init__(
        self,
        job: DownloadJob,
        roles: Mapping[str, str],
        *,
        new_output: NewOutput,
        key_of: Callable[[str], str],
    ) -> None:
        self._job, self._roles = job, roles
        self._new_output, self._key_of = new_output, key_of
        self.rows: list[StoredFile] = []
        self.outputs: list[BoundedOutput] = []

    @property
    def size_bytes(self) -> int:
        return sum(output.size_bytes for output in self.outputs)

    @contextmanager
    def add(
        self, role: str, *, name: str = "", content_type: str, expected_bytes: int = 0
    ) -> Iterator[BoundedOutput]:
        """Store what is written inside. Raises ValueError for an unknown or a used role."""
        check_role(role, self._roles, {row.role for row in self.rows})
        name = safe_name(name) if name else default_name(self._job.name, role, content_type)
        output = self._new_output(
            f"{role}/{name}", content_type=content_type, expected_bytes=expected_bytes
        )
        self.outputs.append(output)
        yield output
        output.finish()
        row = StoredFile(
            key=output.key,
            name=name,
            content_type=content_type,
            size_bytes=output.size_bytes,
            sha256=output.sha256,
            crc32=output.crc32,
            role=role,
        )
        self._append(row)

    def copy(self, file: StoredFile) -> None:
        """Attach a copy of another job's file. Raises SourceMissing."""
        name = named_after(self._job.name, file.role, Path(file.name).suffix)
        key = self._key_of(f"{file.role}/{name}")
        storage.copy_object(file.key, key)
        file.pk, file._state.adding = None, True
        file.key, file.name = key, name
        self._append(file)

    def _append(self, row: StoredFile) -> None:
        row.owner_id, row.made_by = self._job.owner_id, self._job
        row.take_number()
        self.rows.append(row)


def check_role(role: str, known: Mapping[str, str], used: set[str]) -> None:
    """Raises ValueError unless the kind has the role, and the attempt no file of it."""
    if role not in known:
        raise ValueError(f"The kind has no role {role!r}: add it to `roles`, with a label.")
    if role in used:
        raise ValueError(f"There already is a file with the role {role!r}.")


def default_name(job_name: str, role: str, content_type: str) -> str:
    """Return 'Orders errors.csv' for the role 'errors' of 'Orders.zip'."""
    suffix = TYPES.guess_extension(content_type.partition(";")[0]) or ""
    return named_after(job_name, role, suffix)


def named_after(job_name: str, role: str, suffix: str) -> str:
    return safe_name(f"{Path(job_name).stem} {role}{suffix}")
