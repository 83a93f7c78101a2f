"""What was given on the command line, as the request that asks for it.

A new kind of download is one more function in WAYS.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from downloads_client.errors import Misused
from downloads_client.formatting import bundled, printable
from downloads_client.options import JOB_ID, NOTHING, Beside, said

NUMBER = re.compile(r"[0-9]{1,9}")
# Its host without a user's name and password, which the service refuses and nobody need see.
LINK = re.compile(r"https?://([^/?#]*@)?(?P<host>[^/?#@]*).*", re.IGNORECASE | re.DOTALL)
REPORT = "report"


@dataclass(frozen=True)
class New:
    """A download to be asked for. Its key makes all tries to do so one job."""

    path: str
    body: dict[str, Any]
    what: str  # for people: "3 files"
    file_ids: list[int] = field(default_factory=list)  # that it will be made of, and nothing else
    key: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True)
class Existing:
    """A download that somebody asked for before."""

    job_id: UUID


Wish = New | Existing


def understood(given: list[str], beside: Beside = NOTHING) -> Wish:
    """Raises Misused."""
    beside.check()
    for way in WAYS:
        if wish := way(given, beside):
            return wish
    numbers, ids = numbers_and_ids(given)
    strange = next(each for each in given if each not in numbers + ids)
    raise Misused(
        f"{printable(strange)!r} is no file number. Give numbers of files (70000 70001), one link"
        " (https://...), the word report, or the id of one download."
    )


def file_ids_of(wish: Wish) -> list[int]:
    """Of the stored files that it will be made of, if it is known to be."""
    return wish.file_ids if isinstance(wish, New) else []


def bundle(given: list[str], beside: Beside) -> New | None:
    numbers, ids = numbers_and_ids(given)
    if len(numbers) + len(ids) < len(given) or (ids and not beside.bundle):
        return None
    beside.refuse("of_links", "of_reports")
    file_ids = list(dict.fromkeys(map(int, numbers)))
    job_ids = list(dict.fromkeys(map(str.lower, ids)))
    body = said(file_ids=file_ids, job_ids=job_ids, name=beside.name) | beside.terms
    only_files = [] if job_ids else file_ids
    return New("v1/download/initiate", body, bundled(len(file_ids), len(job_ids)), only_files)


def link(given: list[str], beside: Beside) -> New | None:
    found = [match for each in given if (match := LINK.fullmatch(each))]
    if len(found) < len(given):
        return None
    if len(given) > 1:
        raise Misused("Give one link at a time.")
    beside.refuse("of_reports", "bundle")
    body = {"url": given[0]} | said(output=beside.name) | beside.of_links | beside.terms
    return New("downloads", body, f"a file from {printable(found[0]['host'])}")


def report(given: list[str], beside: Beside) -> New | None:
    if REPORT not in given:
        return None
    if len(given) > 1:
        raise Misused("Ask for a report alone, without numbers, links or ids.")
    if beside.name:
        raise Misused("--name is for files and links; a report has its name. --output is for all.")
    beside.refuse("of_links", "bundle")
    return New("reports", beside.of_reports | beside.terms, "a report")


def existing(given: list[str], beside: Beside) -> Existing | None:
    numbers, ids = numbers_and_ids(given)
    if len(numbers) + len(ids) < len(given):
        return None
    if len(given) > 1:
        raise Misused(
            "Give the id of one download at a time, or --bundle for an archive of what they made."
        )
    if beside.name:
        raise Misused("--name is for a new download; this one has its name. --output is for both.")
    beside.refuse("of_links", "of_reports", "terms")
    return Existing(UUID(given[0]))


def numbers_and_ids(given: list[str]) -> tuple[list[str], list[str]]:
    """What is the number of a file, and what the id of a download."""
    numbers = [each for each in given if NUMBER.fullmatch(each)]
    return numbers, [each for each in given if JOB_ID.fullmatch(each)]


WAYS: list[Callable[[list[str], Beside], Wish | None]] = [bundle, link, report, existing]
