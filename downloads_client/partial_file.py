"""A file that is not complete yet, stored next to its final path."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from downloads_client.failures import NotWritten
from downloads_client.formatting import format_printable


class PartialFile:
    """A file opened for appending; its content survives when this process dies.

    It is locked, so that two processes never write one file. Every method may raise NotWritten.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with partial_file_errors(path):
            self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise NotWritten(f"Another process is writing {path}.", "busy") from error
        except OSError as error:  # a file system without locks
            self._file.close()
            raise partial_file_not_written(path, error) from error
        with partial_file_errors(path):
            self._file.seek(0)
            self._hash = hashlib.file_digest(self._file, "sha256")
            self.size = self._file.tell()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, chunk: bytes) -> None:
        with partial_file_errors(self.path):
            self._file.write(chunk)
        self._hash.update(chunk)
        self.size += len(chunk)

    def truncate(self) -> None:
        with partial_file_errors(self.path):
            self._file.seek(0)
            self._file.truncate()
        self._hash = hashlib.sha256()
        self.size = 0

    def rename_to(self, path: Path) -> None:
        """Move the complete file to its final path, atomically."""
        with partial_file_errors(path):
            self._file.flush()
            os.fsync(self._file.fileno())  # or a power cut could leave the name without the bytes
            self.path.replace(path)

    def delete(self) -> None:
        with partial_file_errors(self.path):
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
        except OSError as unwritten:
            if error is None:
                raise partial_file_not_written(self.path, unwritten) from unwritten


@contextmanager
def partial_file_errors(path: Path) -> Iterator[None]:
    """Raise NotWritten in place of an OSError or of a name that the locale cannot encode."""
    try:
        yield
    except OSError as error:
        raise partial_file_not_written(path, error) from error
    except UnicodeEncodeError as error:  # the name is the service's, or another terminal's
        raise NotWritten(
            f"{format_printable(str(path))} could not be written: file names are"
            f" {error.encoding} in this locale. Set LC_ALL=C.UTF-8, or use --output to choose"
            " another name.",
            "bad_name",
        ) from error


def partial_file_not_written(path: Path | str, error: OSError) -> NotWritten:
    return NotWritten(f"{path} could not be written: {error.strerror or error}.")
