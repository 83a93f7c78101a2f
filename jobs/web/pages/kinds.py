"""The parts of a download's page that depend on its kind."""

from __future__ import annotations

import json
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
from jobs.kinds.bundle.load import requested_ids
from jobs.kinds.registry import sources_of
from jobs.models import DownloadJob, StoredFile
from jobs.states import Status
from jobs.web import wording

LISTED = 20  # files of a zip
MAX_CHOSEN_AGAIN = 300  # file ids that surely fit into a URL
MAX_COPIED = 100  # file ids in a command to copy
# Errors that another link may fix, but a retry does not.
WRONG_LINK = {
    "blocked_address",
    "blocked_redirect",
    "too_many_redirects",
    "remote_refused",
    "remote_not_a_file",
    "checksum_mismatch",
}
# Errors that only uploading the file again may fix.
WRONG_FILE = {
    "not_scanned",
    "type_not_allowed",
    "checksum_mismatch",
    "source_missing",
    "source_changed",
}


@dataclass(frozen=True)
class Contents:
    """What the job was made for: files with their sizes, or some facts."""

    title: str
    files: tuple[tuple[str, str], ...] = ()
    more: int = 0
    facts: tuple[wording.Detail, ...] = ()


@dataclass(frozen=True)
class Remedy:
    """A link to what helps more than a retry."""

    verb: str
    address: str


@dataclass(frozen=True)
class KindOnPage:
    """`curl_body` has the arguments of curl that start the same job; empty if they are too long.

    `remedy` is called at each poll, so it reads the long `params` only if it has to.
    """

    contents: Callable[[DownloadJob], Contents]
    url_name: str
    curl_body: Callable[[DownloadJob], str]
    remedy: Callable[[DownloadJob], Remedy | None]


def command(job: DownloadJob, absolute: Callable[[str], str], authorization: str) -> str:
    """Return the curl command that starts the same job; empty if it is too long to copy."""
    kind = KINDS[job.kind]
    url, body = absolute(reverse(kind.url_name)), kind.curl_body(job)
    return body and f"curl -f {url} \\\n  {authorization} \\\n  {body}"


def _json(body: dict[str, Any]) -> str:
    return f"--json {shlex.quote(json.dumps(body, ensure_ascii=False))}"


def _files(job: DownloadJob) -> Contents:
    """Return the first files of the zip with their sizes, and how many more there are."""
    sources = requested_ids(job.params)
    file_ids = [each for each in sources[:LISTED] if isinstance(each, int)]
    job_ids = [each for each in sources[:LISTED] if isinstance(each, str)]
    found = {file.file_id: file for file in sources_of(job.kind, {"file_ids": file_ids}, job.owner)}
    files = tuple(_file(file_id, found.get(file_id)) for file_id in file_ids)
    files += _results(job, job_ids)
    return Contents(wording.files(len(sources)), files=files, more=len(sources) - len(files))


def _file(file_id: int, file: StoredFile | None) -> tuple[str, str]:
    return (file.name, wording.size_of(file.size_bytes)) if file else (str(file_id), "not found")


def _results(job: DownloadJob, job_ids: list[str]) -> tuple[tuple[str, str], ...]:
    """Return the results of other jobs. Makes no query for stored files alone."""
    if not job_ids:
        return ()
    jobs = DownloadJob.objects.filter(owner=job.owner).select_related("artifact")
    found = jobs.defer("params").in_bulk(list(map(UUID, job_ids)))
    return tuple(_result(job_id, found.get(UUID(job_id))) for job_id in job_ids)


def _result(job_id: str, job: DownloadJob | None) -> tuple[str, str]:
    if job is None:
        return job_id, "not found"
    if job.artifact:
        return job.artifact.name, wording.size_of(job.artifact.size_bytes)
    return job.name, "not found" if job.is_finished else "not ready yet"


def _same_files(job: DownloadJob) -> str:
    if len(requested_ids(job.params)) > MAX_COPIED:
        return ""
    return _json({name: ids for name, ids in job.params.items() if ids} | {"name": job.name})


def _without_missing(job: DownloadJob) -> Remedy | None:
    """For a zip that failed for missing files, return the form with the other files ticked."""
    if job.error_code != SourceMissing.code or len(requested_ids(job.params)) > MAX_CHOSEN_AGAIN:
        return None
    numbered = sources_of(job.kind, job.params, job.owner).exclude(file_id=None)
    found = numbered.values_list("file_id", flat=True)
    missing = job.metadata.get("missingFileIds", [])  # a row may exist whose bytes are gone
    others = [file_id for file_id in found if file_id not in missing]
    chosen = urlencode({"file": others}, doseq=True)
    return (
        Remedy("Choose without missing files", f"{reverse('choose')}?{chosen}") if chosen else None
    )


def _link(job: DownloadJob) -> Contents:
    """Return the link as text, so that nobody follows it by mistake."""
    facts = [wording.Detail("Web address", job.params["url"])]
    if expected := job.params.get("sha256"):
        facts.append(wording.Detail("Expected SHA-256", expected))
    return Contents("The link", facts=tuple(facts))


def _another_link(job: DownloadJob) -> Remedy | None:
    if job.error_code not in WRONG_LINK:
        return None
    return Remedy("Edit the link", f"{reverse('link')}?job={job.pk}")


def _uploaded_file(job: DownloadJob) -> Contents:
    facts = [wording.Detail("Name", job.name)]
    if job.total is not None:
        facts.append(wording.Detail("Size", wording.size_of(job.total)))
    return Contents("The file", facts=tuple(facts))


def _same_file(job: DownloadJob) -> str:
    """Return the argument for a file of that name. Quotes keep `;` and `,` from curl."""
    name = job.name.replace("\\", "\\\\").replace('"', '\\"')
    return "-F " + shlex.quote(f'file=@"{name}"')


def _upload_again(job: DownloadJob) -> Remedy | None:
    if job.error_code in NOT_RUN_AGAIN:
        return Remedy("Upload another file", reverse("upload"))
    helps = job.status == Status.EXPIRED or job.error_code in WRONG_FILE
    return Remedy("Upload again", reverse("upload")) if helps else None


def _period(job: DownloadJob) -> Contents:
    params = job.params
    if "from" in params:
        period = wording.days(*(date.fromisoformat(params[end]) for end in ("from", "to")))
    else:
        days = int(params["period"].removesuffix("d"))
        period = "The day it is created" if days == 1 else f"The last {days} days"
    facts = {
        "Period": period,
        "Format": params["format"].upper(),
        "Downloads of": "everyone" if params["everybody"] else "you",
    }
    return Contents("The report", facts=tuple(starmap(wording.Detail, facts.items())))


KINDS: dict[str, KindOnPage] = {
    "bundle": KindOnPage(_files, "initiate", _same_files, _without_missing),
    "remote": KindOnPage(_link, "downloads", lambda job: _json(job.params), _another_link),
    "upload": KindOnPage(_uploaded_file, "upload", _same_file, _upload_again),
    "report": KindOnPage(_period, "reports", lambda job: _json(job.params), lambda _: None),
}
