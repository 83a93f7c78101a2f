"""The cases. Each is a function that takes the rig and returns its figures."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.bench.cases import (
    bundles,
    idle,
    jobs,
    limits,
    load_tests,
    polls,
    rows,
    starts,
    watchers,
)
from benchmarks.bench.figures import Result
from benchmarks.bench.rig import Rig

Case = Callable[[Rig], Result]
# In the order in which they run. The docstring of each is its question in the report.
CASES: dict[str, Case] = {
    "idle": idle.idle,
    "poll": polls.poll,
    "poll-304": polls.not_modified,
    "polls-a-second": polls.at_fifty_connections,
    "start-50-owners": starts.by_fifty_owners,
    "start-1-owner": starts.by_one_owner,
    "small-jobs": jobs.small_jobs,
    "start-to-processing": jobs.start_to_processing,
    "bundle": bundles.small_files,
    "watchers": watchers.watchers,
    "autocannon": load_tests.autocannon,
    "upload-answer": load_tests.upload_answer,
    "uploads-k6": load_tests.uploads_by_k6,
    "uploads-a-minute": load_tests.uploads_a_minute,
    "flood": load_tests.flood,
    "rows": rows.many_rows,
    "limits": limits.limits,
}
