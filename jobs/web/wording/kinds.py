"""What is said of one kind of download and of no other. Questions about its params are for whole
pages, not for polls: a zip's may be 100,000 numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from jobs.errors import FORMER_JOB_CODES
from jobs.kinds.registry import wanted_by
from jobs.models import DownloadJob
from jobs.web.wording.numbers import files, limit_of, seconds


@dataclass(frozen=True)
class Words:
    """`working` is what else can be told while it is being made, term by term; `found` what the
    file turned out to be, and `left_out` a sentence on what could not be made of it.
    """

    kind: str
    asked_for: Callable[[DownloadJob], str]  # reads the params
    made: str
    next_steps: dict[str, str]  # what to do, by the code that it failed with
    working: Callable[[DownloadJob], dict[str, str]] = lambda _: {}
    found: Callable[[DownloadJob], dict[str, str]] = lambda _: {}
    left_out: Callable[[DownloadJob], str] = lambda _: ""
    begun: str = "You asked for it."
    is_made_again: bool = True  # once it has expired; else its owner has to send it again


def _files(job: DownloadJob) -> str:
    """'7 files as one zip'."""
    return f"{files(len(wanted_by(job.params)))} as one zip"


def _host(job: DownloadJob) -> str:
    """'a link to example.org'."""
    return f"a link to {urlsplit(job.params['url']).hostname}"


def _connections(job: DownloadJob) -> dict[str, str]:
    many = "1 connection" if job.threads == 1 else f"{job.threads} connections"
    return {"Fetched with": many if job.threads else "no connection yet"}


def _activity(job: DownloadJob) -> str:
    """'your activity as a PDF'."""
    whose = "everybody's" if job.params["everybody"] else "your"
    return f"{whose} activity as {FORMATS[job.params['format']]}"


def _found(job: DownloadJob) -> dict[str, str]:
    facts = job.metadata
    told = {}
    if "width" in facts and "height" in facts:
        told["Pixels"] = f"{facts['width']:,} by {facts['height']:,}"
    if "pages" in facts:
        told["Pages"] = f"{facts['pages']:,}"
    if "durationSeconds" in facts:
        told["Duration"] = seconds(facts["durationSeconds"])
    return told


def _left_out(job: DownloadJob) -> str:
    facts = job.metadata
    found = [str(facts["skipped"])] if "skipped" in facts else []
    if "textPages" in facts:
        found.append(f"The text is that of the first {facts['textPages']:,} pages.")
    return " ".join(found)


NOT_AGAIN = "It will not be tried again by itself."
STOPPED = "We stopped trying."
OF_ALL = {
    "storage_full": f"{NOT_AGAIN} Run it again when files of yours have expired, or ask an operator"
    " for more room.",
    "dependency_failed": f"{NOT_AGAIN} Run what it was to wait for again first, and then this.",
}
OF_A_ZIP = OF_ALL | {
    "source_missing": f"{NOT_AGAIN} Choose again without what is missing, or ask whoever gave you"
    " the numbers.",
    "source_changed": f"{NOT_AGAIN} Ask an operator about the file.",
    "archive_too_large": f"{NOT_AGAIN} Choose fewer files: several zips hold them all.",
    "timeout": f"{NOT_AGAIN} Choose fewer files, or run it again later.",
}
OF_A_LINK = OF_ALL | {
    "blocked_address": f"{NOT_AGAIN} Use a link to a public address.",
    "blocked_redirect": f"{NOT_AGAIN} Open the link in a browser, and use the public address that"
    " it ends at.",
    "too_many_redirects": f"{NOT_AGAIN} Open the link in a browser, and use the address that it"
    " ends at.",
    "remote_refused": f"{NOT_AGAIN} Open the link in a browser: the file may be gone, or only for"
    " those who sign in there.",
    "remote_not_trusted": f"{NOT_AGAIN} Tell whoever runs the site that its certificate is not"
    " valid.",
    "remote_not_a_file": f"{NOT_AGAIN} Open the link in a browser: there may be another link to the"
    " file itself, or one has to sign in there.",
    "remote_encoded": f"{NOT_AGAIN} Download it with a browser, or tell whoever runs the site.",
    "remote_too_large": f"{NOT_AGAIN} We fetch files of up to {limit_of(settings.REMOTE_MAX_BYTES)}"
    "; ask an operator about a larger one.",
    "remote_unavailable": f"{STOPPED} See whether the link works in a browser, and run it again"
    " later.",
    "remote_too_slow": f"{STOPPED} Run it again later, when the other side has less to do.",
    "remote_changed": f"{STOPPED} Run it again when nobody writes to the file any more.",
    "checksum_mismatch": f"{NOT_AGAIN} Compare the SHA-256 that you gave with what the site says;"
    " what arrived was not kept.",
    "timeout": f"{NOT_AGAIN} More connections may be faster; or run it again later.",
}
KEPT_NOW = f"{NOT_AGAIN} Run it again: such a file is kept now, without previews."
OF_AN_UPLOAD = OF_ALL | {
    "infected": f"{NOT_AGAIN} Nobody can have what you sent. Check the machine that it came from.",
    "scanner_unavailable": f"{STOPPED} What you sent is kept for a while: run it again later.",
    "not_scanned": f"{NOT_AGAIN} A file that cannot be checked is not kept. Upload what is in it"
    " apart, or ask an operator.",
    "type_not_allowed": f"{NOT_AGAIN} Upload it in another format; or ask an operator.",
    "checksum_mismatch": f"{NOT_AGAIN} Something changed it on its way to us. Upload it again.",
    "source_missing": f"{NOT_AGAIN} What you sent is not kept any more. Upload it again.",
    "source_changed": f"{NOT_AGAIN} Upload it again; if that fails, too, ask an operator.",
    "timeout": f"{NOT_AGAIN} Upload a smaller file, or run it again later.",
    **dict.fromkeys(FORMER_JOB_CODES, KEPT_NOW),
}

OF_A_REPORT = OF_ALL | {
    "timeout": f"{NOT_AGAIN} Ask for fewer days, or for CSV, which is made sooner.",
}

FORMATS = {"pdf": "a PDF", "csv": "CSV", "json": "JSON"}

# What was made of an upload, in the order in which people are told.
ROLES = {
    "thumbnail": "Small square",
    "medium": "Medium picture",
    "large": "Large picture",
    "preview": "First page",
    "text": "Text",
    "poster": "Picture from it",
    "clip": "First seconds",
}

KINDS: dict[str, Words] = {
    "bundle": Words("Zip", _files, "made", OF_A_ZIP),
    "remote": Words("Link", _host, "fetched", OF_A_LINK, _connections),
    "upload": Words(
        "Upload",
        lambda _: "a file that you sent",
        "checked",
        OF_AN_UPLOAD,
        found=_found,
        left_out=_left_out,
        begun="You sent it.",
        is_made_again=False,
    ),
    "report": Words("Report", _activity, "made", OF_A_REPORT),
}
