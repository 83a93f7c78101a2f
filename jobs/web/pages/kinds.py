"""What the page of one download shows that depends on its kind."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import starmap
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse

from jobs.errors import NOT_RUN_AGAIN, SourceMissing
from jobs.kinds.registry import sources_of, wanted_by
from jobs.models import DownloadJob, StoredFile
from jobs.states import Status
from jobs.web import wording

LISTED = 20  # files of a zip
MAX_CHOSEN_AGAIN = 300  # as many numbers as an address can be sure to carry
MAX_TYPED = 100  # numbers in a command that somebody copies
NUMBERS = re.compile(r"(?<![\w-])\d+(?![\w-])")  # and no part of a download's id
# With these a link fails again until it is another one.
WRONG_LINK = {
    "blocked_address",
    "blocked_redirect",
    "too_many_redirects",
    "remote_refused",
    "remote_not_a_file",
    "checksum_mismatch",
}
# With these the same file would fail again, or is not there any more.
WRONG_FILE = {
    "not_scanned",
    "type_not_allowed",
    "checksum_mismatch",
    "source_missing",
    "source_changed",
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
    """`sends` is what curl sends to `address` for the same again; nothing if it is too long.

    `remedy` is asked at each poll: it reads the params, which may be long, only if it has to.
    """

    contents: Callable[[DownloadJob], Contents]
    address: str  # by its name
    sends: Callable[[DownloadJob], str]
    remedy: Callable[[DownloadJob], Remedy | None]


def command(job: DownloadJob, absolute: Callable[[str], str], as_me: str) -> str:
    """What a terminal asks for the same with; empty where nobody would copy it."""
    kind = KINDS[job.kind]
    sends = kind.sends(job)
    return sends and f"curl -f {absolute(reverse(kind.address))} \\\n  {as_me} \\\n  {sends}"


def _json(body: dict[str, Any]) -> str:
    return f"--json {shlex.quote(json.dumps(body, ensure_ascii=False))}"


def _files(job: DownloadJob) -> Contents:
    """The first files of the zip with their sizes, and how many more there are."""
    wanted = wanted_by(job.params)
    stored = [each for each in wanted[:LISTED] if isinstance(each, int)]
    made = [each for each in wanted[:LISTED] if isinstance(each, str)]
    there = {file.file_id: file for file in sources_of(job.kind, {"file_ids": stored}, job.owner)}
    listed = tuple(_listed(file_id, there.get(file_id)) for file_id in stored) + _made(job, made)
    return Contents(wording.files(len(wanted)), files=listed, more=len(wanted) - len(listed))


def _listed(file_id: int, file: StoredFile | None) -> tuple[str, str]:
    return (file.name, wording.size_of(file.size_bytes)) if file else (str(file_id), "not found")


def _made(job: DownloadJob, job_ids: list[str]) -> tuple[tuple[str, str], ...]:
    """No query for a zip of stored files alone."""
    if not job_ids:
        return ()
    makers = DownloadJob.objects.filter(owner=job.owner).select_related("artifact")
    there = makers.defer("params").in_bulk(list(map(UUID, job_ids)))
    return tuple(_result(job_id, there.get(UUID(job_id))) for job_id in job_ids)


def _result(job_id: str, maker: DownloadJob | None) -> tuple[str, str]:
    if maker is None:
        return job_id, "not found"
    if maker.artifact:
        return maker.artifact.name, wording.size_of(maker.artifact.size_bytes)
    return maker.name, "not found" if maker.is_finished else "not ready yet"


def _same_files(job: DownloadJob) -> str:
    asked = {name: ids for name, ids in job.params.items() if ids}
    return _json({**asked, "name": job.name}) if len(wanted_by(job.params)) <= MAX_TYPED else ""


def _without_missing(job: DownloadJob) -> Remedy | None:
    """For a zip that failed over missing files: where the others are ticked already."""
    if job.error_code != SourceMissing.code or len(wanted_by(job.params)) > MAX_CHOSEN_AGAIN:
        return None
    numbered = sources_of(job.kind, job.params, job.owner).exclude(file_id=None)
    there = numbered.values_list("file_id", flat=True)
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


def _sent(job: DownloadJob) -> Contents:
    facts = [wording.Detail("Name", job.name)]
    if job.total is not None:
        facts.append(wording.Detail("Size", wording.size_of(job.total)))
    return Contents("What you sent", facts=tuple(facts))


def _same_file(job: DownloadJob) -> str:
    """Of that name, in the folder where it is typed. To curl, quotes keep `;` and `,` whole."""
    name = job.name.replace("\\", "\\\\").replace('"', '\\"')
    return "-F " + shlex.quote(f'file=@"{name}"')


def _upload_again(job: DownloadJob) -> Remedy | None:
    if job.error_code in NOT_RUN_AGAIN:
        return Remedy("Upload another file", reverse("upload"))
    helps = job.status == Status.EXPIRED or job.error_code in WRONG_FILE
    return Remedy("Upload again", reverse("upload")) if helps else None


def _period(job: DownloadJob) -> Contents:
    asked = job.params
    if "from" in asked:
        period = wording.days(*(date.fromisoformat(asked[end]) for end in ("from", "to")))
    else:
        days = int(asked["period"].removesuffix("d"))
        period = "The day on which it is made" if days == 1 else f"The last {days} days"
    facts = {
        "Period": period,
        "Format": asked["format"].upper(),
        "Downloads of": "everybody" if asked["everybody"] else "you",
    }
    return Contents("The report", facts=tuple(starmap(wording.Detail, facts.items())))


KINDS: dict[str, KindOnPage] = {
    "bundle": KindOnPage(_files, "initiate", _same_files, _without_missing),
    "remote": KindOnPage(_link, "downloads", lambda job: _json(job.params), _another_link),
    "upload": KindOnPage(_sent, "upload", _same_file, _upload_again),
    "report": KindOnPage(_period, "reports", lambda job: _json(job.params), lambda _: None),
}
