"""Hooks for schemathesis: what the OpenAPI document cannot express. Loaded without Django."""

from __future__ import annotations

from typing import Any

import schemathesis

BEYOND_SCHEMAS = {
    "cursor",  # only the service can create a valid one
    *("url", "webhook"),  # not every URI is a web address
    "chunk",  # has the length that its upload declared
    *("after", "job_ids"),  # of existing jobs
    *("email", "priority", "everybody"),  # within the caller's limit
    *("runAt", "expiresAt"),  # in the future, at most a year ahead
    *("from", "to"),  # in this order
    *("cron", "timeZone"),  # five fields with their ranges, and a name that the system knows
    "request",  # what the kind of a schedule accepts
}


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Drop findings that BEYOND_SCHEMAS explains. If none is left, there is no failure."""
    if type(failure).__name__ != "RejectedPositiveData" or response.status_code != 400:
        return True
    problem = response.json()
    wrong = {error["field"].partition(".")[0] for error in problem.get("errors", [])}
    return problem["code"] != "no_file" and not (wrong and wrong <= BEYOND_SCHEMAS)
