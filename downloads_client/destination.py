"""Where the file goes on this machine."""

from __future__ import annotations

import os
import shutil
from glob import escape
from pathlib import Path
from uuid import UUID

from downloads_client import formatting
from downloads_client.errors import NotWritten
from downloads_client.partial_file import told_of
from jobs.lib.names import MAX_NAME_BYTES, safe_name

FINGERPRINT_CHARS = 8


class Place:
    """What `--output` says: a folder, if it is one or ends in a slash; else the file itself.

    Raises NotWritten where that cannot be told.
    """

    def __init__(self, output: str, *, force: bool) -> None:
        given = Path(output)
        with told_of(given):  # a name that is too long, a folder that may not be looked into
            is_folder = output.endswith("/") or given.is_dir()
            given.exists()
        self.folder = given if is_folder else given.parent
        self.file = None if is_folder else given
        self.force = force

    def prepare(self) -> None:
        """Before somebody works for it: raises NotWritten where no file could be made."""
        with told_of(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise NotWritten(f"{self.folder} cannot be written: no permission.")

    def path(self, name: str) -> Path:
        """`name` is the service's: it may not leave the folder, hide, or look like an option."""
        if self.file:
            return self.file
        safe = safe_name(safe_name(name).lstrip("."))
        return self.folder / (f"_{safe}" if safe.startswith("-") else safe)

    def keep(self, path: Path) -> None:
        """Raises NotWritten where a file would be overwritten, or what is none even by force."""
        with told_of(path):
            is_there, is_other = os.path.lexists(path), path.exists() and not path.is_file()
        if is_other:
            raise NotWritten(f"{path} is no ordinary file.", "exists")
        if not self.force and is_there:
            raise NotWritten(
                f"{path} exists. Give --force to overwrite it, or --output for another name.",
                "exists",
            )

    def part(self, path: Path, job_id: UUID, sha256: str) -> Path:
        """Beside `path`, named after the job and the bytes that it is to hold.

        So what a job made anew is never put behind the beginning of something else. Such
        beginnings are of no use any more, and deleted.
        """
        with told_of(path):  # a name that this locale cannot spell
            beginning = os.fsencode(path.name)[:MAX_NAME_BYTES].decode(errors="ignore").encode()
        stem = f"{os.fsdecode(beginning)}.{job_id}."  # leaves room for all that follows
        part = path.with_name(f"{stem}{sha256[:FINGERPRINT_CHARS]}.part")
        with told_of(self.folder):
            for old in set(path.parent.glob(escape(stem) + "*.part")) - {part}:
                old.unlink(missing_ok=True)
        return part

    def have_room(self, needed: int) -> None:
        with told_of(self.folder):
            free = shutil.disk_usage(self.folder).free
        if needed > free:
            there = f"{formatting.size(needed)} are needed, {formatting.size(free)} are free"
            raise NotWritten(f"{self.folder} has not enough room: {there}.", "no_room")
