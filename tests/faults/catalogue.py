"""The stored files of fault tests. The names of the last four trigger faults: see sabotage.py."""

from __future__ import annotations

import os

from jobs.models import StoredFile
from tests.factories import store

SMALL, EMPTY, FILM, ARCHIVE, POISON, GREEDY, DEAF, BUGGY = range(70000, 70008)


def fill() -> list[StoredFile]:
    contents = {
        "report.pdf": b"%PDF-1.4 " + b"a" * 20_000,
        "empty.txt": b"",
        "film.bin": os.urandom(1_000_000) * 3,
        "archive.bin": os.urandom(1_000_000) * 40,  # several parts
    }
    contents |= dict.fromkeys(["poison.bin", "greedy.bin", "deaf.bin", "buggy.bin"], b"fault")
    return [store(SMALL + n, name, content) for n, (name, content) in enumerate(contents.items())]
