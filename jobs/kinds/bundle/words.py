"""Texts about zips."""

from __future__ import annotations

from jobs.web.wording.next_steps import NO_RETRY

NEXT_STEPS = {
    "source_missing": f"{NO_RETRY} Choose again without the missing files, or ask whoever gave you"
    " their numbers.",
    "archive_too_large": f"{NO_RETRY} Choose fewer files, and create several zips.",
    "timeout": f"{NO_RETRY} Choose fewer files, or retry later.",
}
