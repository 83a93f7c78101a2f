"""What was given on the command line, as the request that asks for it.

A new kind of download is one more function in WAYS.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from jobs.client.beside import JOB_ID, NOTHING, Beside, said
from jobs.client.errors import Misused
from jobs.client.words import files, printable

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
    file_ids: list[int] = field(default_factory=list)  # that it will be made of
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
    strange = next(each for each in given if not NUMBER.fullmatch(each))
    raise Misused(
        f"{printable(strange)!r} is no file number. Give numbers of files (70000 70001), one link"
        " (https://...), the word report, or the id of one download."
    )


def file_ids_of(wish: Wish) -> list[int]:
    """Of the stored files that it will be made of, if it is known to be."""
    return wish.file_ids if isinstance(wish, New) else []


def bundle(given: list[str], beside: Beside) -> New | None:
    if not all(NUMBER.fullmatch(each) for each in given):
        return None
    beside.refuse("of_links", "of_reports")
    file_ids = list(dict.fromkeys(int(each) for each in given))
    body = {"file_ids": file_ids} | said(name=beside.name) | beside.terms
    return New("v1/download/initiate", body, files(len(file_ids)), file_ids)


def link(given: list[str], beside: Beside) -> New | None:
    found = [match for each in given if (match := LINK.fullmatch(each))]
    if len(found) < len(given):
        return None
    if len(given) > 1:
        raise Misused("Give one link at a time.")
    beside.refuse("of_reports")
    body = {"url": given[0]} | said(output=beside.name) | beside.of_links | beside.terms
    return New("downloads", body, f"a file from {printable(found[0]['host'])}")


def report(given: list[str], beside: Beside) -> New | None:
    if REPORT not in given:
        return None
    if len(given) > 1:
        raise Misused("Ask for a report alone, without numbers, links or ids.")
    if beside.name:
        raise Misused("--name is for files and links; a report has its name. --output is for all.")
    beside.refuse("of_links")
    return New("reports", beside.of_reports | beside.terms, "a report")


def existing(given: list[str], beside: Beside) -> Existing | None:
    if not all(JOB_ID.fullmatch(each) for each in given):
        return None
    if len(given) > 1:
        raise Misused("Give the id of one download at a time.")
    if beside.name:
        raise Misused("--name is for a new download; this one has its name. --output is for both.")
    beside.refuse("of_links", "of_reports", "terms")
    return Existing(UUID(given[0]))


WAYS: list[Callable[[list[str], Beside], Wish | None]] = [bundle, link, report, existing]
