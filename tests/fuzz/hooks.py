"""What schemathesis cannot know of the contract. Loaded by its own process, without Django."""

from __future__ import annotations

from typing import Any

import schemathesis

BEYOND_SCHEMAS = {
    "cursor",  # only the service can make one
    *("url", "webhook"),  # not all URIs are links
    "chunk",  # as long as its upload says
    *("after", "job_ids"),  # of jobs that there are
    *("email", "priority", "everybody"),  # as the caller may
    "runAt",  # a year ahead at most
    *("from", "to"),  # in this order
}


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Drop what is no failure, as BEYOND_SCHEMAS says. An empty file is none."""
    if type(failure).__name__ != "RejectedPositiveData" or response.status_code != 400:
        return True
    told = response.json()
    wrong = {error["field"].partition(".")[0] for error in told.get("errors", [])}
    return told["code"] != "no_file" and not (wrong and wrong <= BEYOND_SCHEMAS)
