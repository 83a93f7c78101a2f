"""Turns the arguments of the command line into the request to send.

To support a new kind of download, add a function to PARSERS.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from downloads_client.failures import UsageError
from downloads_client.formatting import bundled, printable
from downloads_client.options import JOB_ID, NO_OPTIONS, Options, without_empty

NUMBER = re.compile(r"[0-9]{1,9}")
# Its host without a user's name and password, which the service refuses and nobody need see.
LINK = re.compile(r"https?://([^/?#]*@)?(?P<host>[^/?#@]*).*", re.IGNORECASE | re.DOTALL)
REPORT = "report"


@dataclass(frozen=True)
class NewDownload:
    """A download to create. The idempotency key makes all tries to create it one job."""

    path: str
    body: dict[str, Any]
    summary: str  # for people: "3 files"
    idempotency_key: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True)
class ExistingDownload:
    """A download that was created before."""

    job_id: UUID


DownloadRequest = NewDownload | ExistingDownload


def parse_request(arguments: list[str], options: Options = NO_OPTIONS) -> DownloadRequest:
    """Return what the arguments request. Raises UsageError."""
    options.validate()
    for parse in PARSERS:
        if request := parse(arguments, options):
            return request
    numbers, ids = numbers_and_ids(arguments)
    unknown = next(each for each in arguments if each not in numbers + ids)
    raise UsageError(
        f"{printable(unknown)!r} is not a file number. Use file numbers (70000 70001), one link"
        " (https://...), the word report, or the ID of one download."
    )


def parse_bundle(arguments: list[str], options: Options) -> NewDownload | None:
    """Return a bundle of file numbers; with --bundle also of ids of downloads. None if others."""
    numbers, ids = numbers_and_ids(arguments)
    if len(numbers) + len(ids) < len(arguments) or (ids and not options.bundle):
        return None
    options.reject("of_links", "of_reports")
    file_ids = list(dict.fromkeys(map(int, numbers)))
    job_ids = list(dict.fromkeys(map(str.lower, ids)))
    body = without_empty(file_ids=file_ids, job_ids=job_ids, name=options.name) | options.terms
    return NewDownload("v1/download/initiate", body, bundled(len(file_ids), len(job_ids)))


def parse_link(arguments: list[str], options: Options) -> NewDownload | None:
    """Return a download of a link, or None if not all arguments are links."""
    found = [match for each in arguments if (match := LINK.fullmatch(each))]
    if len(found) < len(arguments):
        return None
    if len(arguments) > 1:
        raise UsageError("Use one link at a time.")
    options.reject("of_reports", "bundle")
    body = {"url": arguments[0]} | without_empty(output=options.name)
    body |= options.of_links | options.terms
    return NewDownload("downloads", body, f"a file from {printable(found[0]['host'])}")


def parse_report(arguments: list[str], options: Options) -> NewDownload | None:
    """Return a report, or None if the word `report` is not among the arguments."""
    if REPORT not in arguments:
        return None
    if len(arguments) > 1:
        raise UsageError("Request a report alone, without file numbers, links or IDs.")
    if options.name:
        raise UsageError(
            "--name works for files and links, not for reports. --output works for all."
        )
    options.reject("of_links", "bundle")
    return NewDownload("reports", options.of_reports | options.terms, "a report")


def parse_existing(arguments: list[str], options: Options) -> ExistingDownload | None:
    """Return the download with the given id, or None if there are other arguments."""
    numbers, ids = numbers_and_ids(arguments)
    if len(numbers) + len(ids) < len(arguments):
        return None
    if len(arguments) > 1:
        raise UsageError(
            "Use one download ID at a time, or --bundle for an archive of their results."
        )
    if options.name:
        raise UsageError("--name works for new downloads only. --output works for both.")
    options.reject("of_links", "of_reports", "terms")
    return ExistingDownload(UUID(arguments[0]))


def numbers_and_ids(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the arguments that are file numbers, and those that are ids of downloads."""
    numbers = [each for each in arguments if NUMBER.fullmatch(each)]
    return numbers, [each for each in arguments if JOB_ID.fullmatch(each)]


PARSERS: list[Callable[[list[str], Options], DownloadRequest | None]] = [
    parse_bundle,
    parse_link,
    parse_report,
    parse_existing,
]
