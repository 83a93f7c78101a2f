"""What was given on the command line, as the request that asks for it.

A new kind of download is one more function in WAYS.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from jobs.client.errors import Misused
from jobs.client.words import files, printable

NUMBER = re.compile(r"[0-9]{1,9}")
JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class New:
    """A download to be asked for. Its key makes all tries to do so one job."""

    path: str
    body: dict[str, Any]
    what: str  # for people: "3 files"
    key: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True)
class Existing:
    """A download that somebody asked for before."""

    job_id: UUID


Wish = New | Existing


def understood(given: list[str], *, name: str) -> Wish:
    """Raises Misused. `name` is what the file shall be called, or empty."""
    for way in WAYS:
        if wish := way(given, name):
            return wish
    strange = next(each for each in given if not NUMBER.fullmatch(each))
    raise Misused(
        f"{printable(strange)!r} is no file number. Give numbers of files (70000 70001), or the id"
        " of one download."
    )


def bundle(given: list[str], name: str) -> New | None:
    if not all(NUMBER.fullmatch(each) for each in given):
        return None
    file_ids = list(dict.fromkeys(int(each) for each in given))
    body = {"file_ids": file_ids} | ({"name": name} if name else {})
    return New("v1/download/initiate", body, files(len(file_ids)))


def existing(given: list[str], name: str) -> Existing | None:
    if not all(JOB_ID.fullmatch(each) for each in given):
        return None
    if len(given) > 1:
        raise Misused("Give the id of one download at a time.")
    if name:
        raise Misused("--name is for a new download; this one has its name. --output is for both.")
    return Existing(UUID(given[0]))


WAYS: list[Callable[[list[str], str], Wish | None]] = [bundle, existing]
