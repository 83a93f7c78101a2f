"""The names of files inside an archive, with folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jobs.lib.names import BIDI, TRAILING, name_collision_key, safe_name, split_name
from jobs.workspace import Source

MAX_FOLDERS_BYTES = 600  # with a name of 180, within the 1,024 of macOS


def zip_member_names(sources: Iterable[Source]) -> Iterator[str]:
    """Yield a safe name for each source, unique inside the archive on any file system.

    `2026/05/a.txt` is in folders; nothing gets out of the archive, so `../a.txt` is `a.txt`.
    Duplicates are numbered: `a.txt`, `a (2).txt`. Names that differ only in case, or in how an
    accent is composed, are duplicates; folders of such names are one folder.
    """
    names = _MemberNames()
    for source in sources:
        yield names.add(source.name)


class _MemberNames:
    def __init__(self) -> None:
        self._taken: dict[str, int] = {}  # by folder and collision key, the last number
        self._folders: dict[str, str] = {}  # by folder and collision key, the folder inside
        self._paths: dict[str, str] = {}  # the folder for a path, as it was given

    def add(self, given: str) -> str:
        path, _, name = given.replace("\\", "/").rstrip("/").rpartition("/")
        if path not in self._paths:
            self._paths[path] = self._folder_of(path)
        return self._unique(self._paths[path], safe_name(name))

    def _folder_of(self, path: str) -> str:
        """Return the folder for a path: empty, or with a slash at the end."""
        folder = ""
        for name in _segments(path):
            if len(f"{folder}{name}".encode()) >= MAX_FOLDERS_BYTES:
                break
            key = folder + name_collision_key(name)
            if key not in self._folders:  # a file may have this name
                self._folders[key] = self._unique(folder, name) + "/"
            folder = self._folders[key]
        return folder

    def _unique(self, folder: str, original: str) -> str:
        """Return the path of a new file or folder, numbered if the name is taken."""
        name, (stem, suffix) = original, split_name(original)
        first = folder + name_collision_key(original)
        copy = self._taken.get(first, 1)
        while (key := folder + name_collision_key(name)) in self._taken:
            copy += 1
            name = f"{stem} ({copy}){suffix}"
        self._taken[first] = copy  # continue here next time, which keeps this linear
        self._taken.setdefault(key, 1)
        return folder + name


def _segments(path: str) -> Iterator[str]:
    """Yield the safe names of the folders. Leaves out empty ones, `.` and `..`."""
    for segment in path.split("/"):
        if BIDI.sub("", segment).strip(TRAILING):
            yield safe_name(segment)
