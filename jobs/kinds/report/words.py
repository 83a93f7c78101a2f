"""Texts about reports."""

from __future__ import annotations

from jobs.kinds.base import JobParams
from jobs.web.wording.next_steps import NO_RETRY

NEXT_STEPS = {
    "timeout": f"{NO_RETRY} Choose fewer days, or CSV, which is faster.",
}
FORMATS = {"pdf": "a PDF", "csv": "CSV", "json": "JSON"}


def report_in_words(params: JobParams) -> str:
    """Return 'your activity as a PDF'."""
    whose = "everyone's" if params["everybody"] else "your"
    return f"{whose} activity as {FORMATS[params['format']]}"
