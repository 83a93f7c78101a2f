"""Links from a number to the jobs that it counts, in the admin's list."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse


def jobs_link(**filters: str) -> str:
    """Return the URL of the list with these filters; empty ones are left out."""
    query = urlencode({name: value for name, value in filters.items() if value})
    url = reverse("admin:jobs_downloadjob_changelist")
    return f"{url}?{query}" if query else url


def job_link(job_id: UUID) -> str:
    return reverse("admin:jobs_downloadjob_change", args=[job_id])
