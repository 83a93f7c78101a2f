"""The parts of a link's page."""

from __future__ import annotations

from django.urls import reverse

from jobs.kinds.page_parts import Contents, Detail, Remedy
from jobs.models import DownloadJob

# Errors that another link may fix, but a retry does not.
WRONG_LINK = {
    "blocked_address",
    "blocked_redirect",
    "too_many_redirects",
    "remote_refused",
    "remote_not_a_file",
    "checksum_mismatch",
}


def remote_page_contents(job: DownloadJob) -> Contents:
    """Return the link as text, so that nobody follows it by mistake."""
    facts = [Detail("Web address", job.params["url"])]
    if expected := job.params.get("sha256"):
        facts.append(Detail("Expected SHA-256", expected))
    return Contents("The link", facts=tuple(facts))


def remote_page_remedy(job: DownloadJob) -> Remedy | None:
    if job.error_code not in WRONG_LINK:
        return None
    return Remedy("Edit the link", f"{reverse('link')}?job={job.pk}")
