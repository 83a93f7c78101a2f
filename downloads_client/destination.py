"""Where the file is saved on this machine."""

from __future__ import annotations

import os
import shutil
from glob import escape
from pathlib import Path
from uuid import UUID

from downloads_client import formatting
from downloads_client.failures import NotWritten
from downloads_client.partial_file import partial_file_errors
from jobs.lib.names import MAX_NAME_BYTES, safe_name

FINGERPRINT_CHARS = 8


class Destination:
    """The value of `--output`: a folder if it is one or ends in a slash, otherwise the file itself.

    Raises NotWritten if the path cannot be examined.
    """

    def __init__(self, output: str, *, force: bool) -> None:
        given = Path(output)
        with partial_file_errors(given):  # the name may be too long, or a parent not readable
            is_folder = output.endswith("/") or given.is_dir()
            given.exists()
        self.folder = given if is_folder else given.parent
        self.file = None if is_folder else given
        self.force = force

    def prepare(self) -> None:
        """Create the folder. Raises NotWritten if no file can be created in it."""
        with partial_file_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise NotWritten(f"{self.folder} is not writable: permission denied.")

    def path(self, name: str) -> Path:
        """Return the path for a file that the service calls `name`.

        The path never leaves the folder, and its name is neither hidden nor looks like an option.
        """
        if self.file:
            return self.file
        safe = safe_name(safe_name(name).lstrip("."))
        return self.folder / (f"_{safe}" if safe.startswith("-") else safe)

    def check_overwrite(self, path: Path) -> None:
        """Raise NotWritten if `path` exists and may not be overwritten.

        Devices and folders are never overwritten, files only with `force`.
        """
        with partial_file_errors(path):
            is_there, is_other = os.path.lexists(path), path.exists() and not path.is_file()
        if is_other:
            raise NotWritten(f"{path} is not a regular file.", "exists")
        if not self.force and is_there:
            raise NotWritten(
                f"{path} exists. Use --force to overwrite it, or --output to choose another name.",
                "exists",
            )

    def partial_path(self, path: Path, job_id: UUID, sha256: str) -> Path:
        """Return the path of the partial file, next to `path`, and delete outdated ones.

        Its name has the job's id and the beginning of the SHA-256, so that a file that was created
        again is never appended to the bytes of the old one.
        """
        with partial_file_errors(path):  # a name that this locale cannot encode
            beginning = os.fsencode(path.name)[:MAX_NAME_BYTES].decode(errors="ignore").encode()
        stem = f"{os.fsdecode(beginning)}.{job_id}."  # leaves room for all that follows
        partial = path.with_name(f"{stem}{sha256[:FINGERPRINT_CHARS]}.part")
        with partial_file_errors(self.folder):
            for old in set(path.parent.glob(escape(stem) + "*.part")) - {partial}:
                old.unlink(missing_ok=True)
        return partial

    def check_free_space(self, needed: int) -> None:
        """Raise NotWritten if fewer than `needed` bytes are free."""
        with partial_file_errors(self.folder):
            free = shutil.disk_usage(self.folder).free
        if needed > free:
            sizes = (
                f"{formatting.format_size(needed)} are needed, "
                f"{formatting.format_size(free)} are free"
            )
            raise NotWritten(f"{self.folder} has not enough free space: {sizes}.", "no_room")
