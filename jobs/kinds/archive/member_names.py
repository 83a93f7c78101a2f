"""The names of files inside an archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jobs.lib.names import name_collision_key, safe_name, split_name
from jobs.workspace import Source


def zip_member_names(sources: Iterable[Source]) -> Iterator[str]:
    """Yield a safe name for each source, unique inside the archive on any file system.

    Duplicates are numbered: `a.txt`, `a (2).txt`. Names that differ only in case, or in how an
    accent is composed, are duplicates.
    """
    taken: dict[str, int] = {}
    for source in sources:
        name = original = safe_name(source.name)
        stem, suffix = split_name(original)
        copy = taken.get(name_collision_key(original), 1)
        while name_collision_key(name) in taken:
            copy += 1
            name = f"{stem} ({copy}){suffix}"
        taken[name_collision_key(original)] = (
            copy  # continue here next time, which keeps this linear
        )
        taken.setdefault(name_collision_key(name), 1)
        yield name
