"""Texts that depend on the kind of a download. `summary` reads a job's params, which may be 100,000
numbers: only for whole pages, not for polls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from jobs.errors import FORMER_JOB_CODES
from jobs.kinds.bundle.load import requested_ids
from jobs.models import DownloadJob
from jobs.web.wording.numbers import files, limit_of, seconds


@dataclass(frozen=True)
class KindTexts:
    """`next_steps` says what to do about an error code; `notes` what a completed job left out."""

    label: str
    describe: Callable[[DownloadJob], str]  # reads the params
    finished: str  # a participle
    next_steps: dict[str, str]
    progress_facts: Callable[[DownloadJob], dict[str, str]] = lambda _: {}
    file_facts: Callable[[DownloadJob], dict[str, str]] = lambda _: {}
    notes: Callable[[DownloadJob], str] = lambda _: ""
    created: str = "Requested"
    can_recreate: bool = True  # once it has expired; otherwise its owner has to upload it again

    def summary(self, job: DownloadJob) -> str:
        """Return '7 files as one zip, requested', or 'Uploaded'. A time follows."""
        description = self.describe(job)
        if not description:
            return self.created
        return f"{description[0].upper()}{description[1:]}, {self.created.lower()}"


def _files(job: DownloadJob) -> str:
    """Return '7 files as one zip'."""
    return f"{files(len(requested_ids(job.params)))} as one zip"


def _host(job: DownloadJob) -> str:
    """Return 'a link to example.org'."""
    return f"a link to {urlsplit(job.params['url']).hostname}"


def _connections(job: DownloadJob) -> dict[str, str]:
    return {"Connections": str(job.threads or "None yet")}


def _activity(job: DownloadJob) -> str:
    """Return 'your activity as a PDF'."""
    whose = "everyone's" if job.params["everybody"] else "your"
    return f"{whose} activity as {FORMATS[job.params['format']]}"


def _metadata(job: DownloadJob) -> dict[str, str]:
    metadata = job.metadata
    facts = {}
    if "width" in metadata and "height" in metadata:
        facts["Pixels"] = f"{metadata['width']:,} by {metadata['height']:,}"
    if "pages" in metadata:
        facts["Pages"] = f"{metadata['pages']:,}"
    if "durationSeconds" in metadata:
        facts["Duration"] = seconds(metadata["durationSeconds"])
    return facts


def _missing_previews(job: DownloadJob) -> str:
    metadata = job.metadata
    notes = [str(metadata["skipped"])] if "skipped" in metadata else []
    if "textPages" in metadata:
        notes.append(f"The text covers the first {metadata['textPages']:,} pages.")
    return " ".join(notes)


NO_RETRY = "We won't retry automatically."
STOPPED = "We stopped retrying."
OF_ALL = {
    "storage_full": f"{NO_RETRY} Retry when some of your files have expired, or ask an operator for"
    " more space.",
    "dependency_failed": f"{NO_RETRY} Run the downloads it depends on again, then this one.",
}
OF_A_ZIP = OF_ALL | {
    "source_missing": f"{NO_RETRY} Choose again without the missing files, or ask whoever gave you"
    " their numbers.",
    "source_changed": f"{NO_RETRY} Ask an operator about the file.",
    "archive_too_large": f"{NO_RETRY} Choose fewer files, and create several zips.",
    "timeout": f"{NO_RETRY} Choose fewer files, or retry later.",
}
OF_A_LINK = OF_ALL | {
    "blocked_address": f"{NO_RETRY} Use a link to a public address.",
    "blocked_redirect": f"{NO_RETRY} Open the link in a browser, and use the public address it"
    " redirects to.",
    "too_many_redirects": f"{NO_RETRY} Open the link in a browser, and use the address it redirects"
    " to.",
    "remote_refused": f"{NO_RETRY} Open the link in a browser: the file may be gone, or may require"
    " signing in.",
    "remote_not_trusted": f"{NO_RETRY} Let the owner of the site know that its certificate is not"
    " valid.",
    "remote_not_a_file": f"{NO_RETRY} Open the link in a browser: there may be a direct link to the"
    " file, or the site may require signing in.",
    "remote_encoded": f"{NO_RETRY} Download the file with a browser, or contact the owner of the"
    " site.",
    "remote_too_large": f"{NO_RETRY} We fetch files of up to {limit_of(settings.REMOTE_MAX_BYTES)}."
    " Ask an operator about larger ones.",
    "remote_unavailable": f"{STOPPED} Check that the link works in a browser, and retry later.",
    "remote_too_slow": f"{STOPPED} Retry later, when the server is less busy.",
    "remote_changed": f"{STOPPED} Retry when the file no longer changes.",
    "checksum_mismatch": f"{NO_RETRY} Compare your SHA-256 with the one on the site. We didn't keep"
    " the file.",
    "timeout": f"{NO_RETRY} Use more connections, or retry later.",
}
KEPT_NOW = f"{NO_RETRY} Retry: we now keep such files, without previews."
OF_AN_UPLOAD = OF_ALL | {
    "infected": f"{NO_RETRY} Nobody can download this file. Check the device it came from.",
    "scanner_unavailable": f"{STOPPED} We keep your upload for a while: retry later.",
    "not_scanned": f"{NO_RETRY} We don't keep files that we can't scan. Upload its contents"
    " separately, or ask an operator.",
    "type_not_allowed": f"{NO_RETRY} Upload it in another format, or ask an operator.",
    "checksum_mismatch": f"{NO_RETRY} The file changed on its way to us. Upload it again.",
    "source_missing": f"{NO_RETRY} We no longer have your upload. Upload it again.",
    "source_changed": f"{NO_RETRY} Upload it again. If that fails too, ask an operator.",
    "timeout": f"{NO_RETRY} Upload a smaller file, or retry later.",
    **dict.fromkeys(FORMER_JOB_CODES, KEPT_NOW),
}

OF_A_REPORT = OF_ALL | {
    "timeout": f"{NO_RETRY} Choose fewer days, or CSV, which is faster.",
}

FORMATS = {"pdf": "a PDF", "csv": "CSV", "json": "JSON"}

# The previews of an upload, in the order in which pages list them.
ROLES = {
    "thumbnail": "Thumbnail",
    "medium": "Medium picture",
    "large": "Large picture",
    "preview": "First page",
    "text": "Text",
    "poster": "Poster frame",
    "clip": "Preview clip",
}

KINDS: dict[str, KindTexts] = {
    "bundle": KindTexts("Zip", _files, "created", OF_A_ZIP),
    "remote": KindTexts("Link", _host, "fetched", OF_A_LINK, _connections),
    "upload": KindTexts(
        "Upload",
        lambda _: "",
        "checked",
        OF_AN_UPLOAD,
        file_facts=_metadata,
        notes=_missing_previews,
        created="Uploaded",
        can_recreate=False,
    ),
    "report": KindTexts("Report", _activity, "created", OF_A_REPORT),
}
