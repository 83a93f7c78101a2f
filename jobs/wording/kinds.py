"""What is said of one kind of download and of no other. Questions about its params are for whole
pages, not for polls: a zip's may be 100,000 numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from jobs.models import DownloadJob
from jobs.wording.numbers import files, limit_of


@dataclass(frozen=True)
class Words:
    """`working` is what else can be told while it is being made, term by term."""

    kind: str
    asked_for: Callable[[DownloadJob], str]  # reads the params
    made: str
    next_steps: dict[str, str]  # what to do, by the code that it failed with
    working: Callable[[DownloadJob], dict[str, str]] = lambda _: {}


def _files(job: DownloadJob) -> str:
    """'7 files as one zip'."""
    return f"{files(len(job.params['file_ids']))} as one zip"


def _host(job: DownloadJob) -> str:
    """'a link to example.org'."""
    return f"a link to {urlsplit(job.params['url']).hostname}"


def _connections(job: DownloadJob) -> dict[str, str]:
    many = "1 connection" if job.threads == 1 else f"{job.threads} connections"
    return {"Fetched with": many if job.threads else "no connection yet"}


NOT_AGAIN = "It will not be tried again by itself."
STOPPED = "We stopped trying."
OF_ALL = {
    "storage_full": f"{NOT_AGAIN} Run it again when files of yours have expired, or ask an operator"
    " for more room.",
}
OF_A_ZIP = OF_ALL | {
    "source_missing": f"{NOT_AGAIN} Choose again without what is missing, or ask whoever gave you"
    " the numbers.",
    "source_changed": f"{NOT_AGAIN} Ask an operator about the file.",
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

KINDS: dict[str, Words] = {
    "bundle": Words("Zip", _files, "made", OF_A_ZIP),
    "remote": Words("Link", _host, "fetched", OF_A_LINK, _connections),
}
