"""Texts about uploads."""

from __future__ import annotations

from jobs.errors import FORMER_JOB_CODES
from jobs.models import DownloadJob
from jobs.web.wording.next_steps import NO_RETRY, STOPPED
from jobs.web.wording.time_text import duration_text

# Of the previews, in the order in which pages list them.
ROLES = {
    "thumbnail": "Thumbnail",
    "medium": "Medium picture",
    "large": "Large picture",
    "preview": "First page",
    "text": "Text",
    "poster": "Poster frame",
    "clip": "Preview clip",
}
KEPT_NOW = f"{NO_RETRY} Retry: we now keep such files, without previews."
NEXT_STEPS = {
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


def upload_facts_in_words(job: DownloadJob) -> dict[str, str]:
    """Return the pixels of a picture, the pages of a PDF, the duration of a video; and whether
    it was scanned."""
    metadata = job.metadata
    facts = {}
    if "scanned" in metadata:  # not of earlier uploads
        facts["Virus scan"] = "No virus found" if metadata["scanned"] else "Not scanned"
    if "width" in metadata and "height" in metadata:
        facts["Pixels"] = f"{metadata['width']:,} by {metadata['height']:,}"
    if "pages" in metadata:
        facts["Pages"] = f"{metadata['pages']:,}"
    if "durationSeconds" in metadata:
        facts["Duration"] = duration_text(metadata["durationSeconds"])
    return facts


def missing_previews_in_words(job: DownloadJob) -> str:
    """Return why previews are missing, and how much of the text there is."""
    metadata = job.metadata
    sentences = [str(metadata["skipped"])] if "skipped" in metadata else []
    if "textPages" in metadata:
        sentences.append(f"The text covers the first {metadata['textPages']:,} pages.")
    return " ".join(sentences)
