"""What the page of one download shows that depends on its kind."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from jobs import wording
from jobs.errors import SourceMissing
from jobs.kinds import sources_of
from jobs.models import DownloadJob, StoredFile

LISTED = 20  # files of a zip
MAX_CHOSEN_AGAIN = 300  # as many numbers as an address can be sure to carry
MAX_TYPED = 100  # numbers in a command that somebody copies
NUMBERS = re.compile(r"\d+")
# With these a link fails again until it is another one.
WRONG_LINK = {
    "blocked_address",
    "blocked_redirect",
    "too_many_redirects",
    "remote_refused",
    "remote_not_a_file",
    "checksum_mismatch",
}


@dataclass(frozen=True)
class Contents:
    """What was asked for: a list of files with their sizes, or some facts."""

    title: str
    files: tuple[tuple[str, str], ...] = ()
    more: int = 0
    facts: tuple[wording.Detail, ...] = ()


@dataclass(frozen=True)
class Remedy:
    """What helps better than to run it again."""

    verb: str
    address: str


@dataclass(frozen=True)
class KindOnPage:
    """`body` is what a program posts to `address` for the same again; None if it is too long.

    `remedy` is asked at each poll: it reads the params, which may be long, only if it has to.
    """

    contents: Callable[[DownloadJob], Contents]
    address: str  # by its name
    body: Callable[[DownloadJob], dict[str, Any] | None]
    remedy: Callable[[DownloadJob], Remedy | None]


def command(job: DownloadJob, absolute: Callable[[str], str], as_me: str) -> str:
    """What a terminal asks for the same with; empty where nobody would copy it."""
    kind = KINDS[job.kind]
    if (body := kind.body(job)) is None:
        return ""
    told = shlex.quote(json.dumps(body, ensure_ascii=False))
    return f"curl -f {absolute(reverse(kind.address))} \\\n  {as_me} \\\n  --json {told}"


def _files(job: DownloadJob) -> Contents:
    """The first files of the zip with their sizes, and how many more there are."""
    wanted = job.params["file_ids"]
    first = wanted[:LISTED]
    there = {file.file_id: file for file in sources_of(job.kind, {"file_ids": first}, job.owner)}
    listed = tuple(_listed(file_id, there.get(file_id)) for file_id in first)
    return Contents(wording.files(len(wanted)), files=listed, more=len(wanted) - len(listed))


def _listed(file_id: int, file: StoredFile | None) -> tuple[str, str]:
    return (file.name, wording.size_of(file.size_bytes)) if file else (str(file_id), "not found")


def _same_files(job: DownloadJob) -> dict[str, Any] | None:
    short = len(job.params["file_ids"]) <= MAX_TYPED
    return {**job.params, "name": job.name} if short else None


def _without_missing(job: DownloadJob) -> Remedy | None:
    """For a zip that failed over missing files: where the others are ticked already."""
    if job.error_code != SourceMissing.code or len(job.params["file_ids"]) > MAX_CHOSEN_AGAIN:
        return None
    there = sources_of(job.kind, job.params, job.owner).values_list("file_id", flat=True)
    told = set(NUMBERS.findall(job.error))  # its row may be there, and its bytes gone
    others = [file_id for file_id in there if str(file_id) not in told]
    chosen = urlencode({"file": others}, doseq=True)
    return Remedy("Choose without them", f"{reverse('choose')}?{chosen}") if chosen else None


def _link(job: DownloadJob) -> Contents:
    """All of it, as its owner wrote it: text, since nobody is to follow it by a slip."""
    facts = [wording.Detail("Web address", job.params["url"])]
    if expected := job.params.get("sha256"):
        facts.append(wording.Detail("Expected SHA-256", expected))
    return Contents("The link", facts=tuple(facts))


def _another_link(job: DownloadJob) -> Remedy | None:
    if job.error_code not in WRONG_LINK:
        return None
    return Remedy("Change the link", f"{reverse('link')}?job={job.pk}")


KINDS: dict[str, KindOnPage] = {
    "bundle": KindOnPage(_files, "initiate", _same_files, _without_missing),
    "remote": KindOnPage(_link, "downloads", lambda job: job.params, _another_link),
}
