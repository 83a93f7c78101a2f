"""What to do about an error of a job."""

from __future__ import annotations

from jobs.kinds.error_codes import retried_error_codes
from jobs.kinds.registry import KINDS

NO_RETRY = "We won't retry automatically."
STOPPED = "We stopped retrying."
OF_ALL = {
    "storage_full": f"{NO_RETRY} Retry when some of your files have expired, or ask an operator for"
    " more space.",
    "no_sources": f"{NO_RETRY} Choose something else.",
    "source_missing": f"{NO_RETRY} Ask an operator about the file.",
    "source_changed": f"{NO_RETRY} Ask an operator about the file.",
    "archive_too_large": f"{NO_RETRY} Choose less, and create several files.",
    "dependency_failed": f"{NO_RETRY} Run the downloads it depends on again, then this one.",
}
ASK_OPERATOR = f"{STOPPED} Retry later; if it fails again, ask an operator."
NOT_RETRIED = f"{NO_RETRY} You can retry it; if it fails again, ask an operator."


def next_step(kind: str, error_code: str) -> str:
    """Return what the owner can do: in the words of the kind, or in those for all kinds."""
    if sentence := KINDS[kind].next_steps.get(error_code) or OF_ALL.get(error_code):
        return sentence
    return ASK_OPERATOR if error_code in retried_error_codes() else NOT_RETRIED
