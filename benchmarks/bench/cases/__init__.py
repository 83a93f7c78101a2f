"""The cases: each a function that is given the rig and returns what it found."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.bench.cases import bundles, idle, jobs, limits, polls, rows, seeds, starts, watchers
from benchmarks.bench.figures import Result
from benchmarks.bench.rig import Rig

Case = Callable[[Rig], Result]
# In the order in which they run. The docstring of each says what it asks.
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
    "autocannon": seeds.autocannon,
    "upload-answer": seeds.upload_answer,
    "uploads-k6": seeds.uploads_by_k6,
    "uploads-a-minute": seeds.uploads_a_minute,
    "flood": seeds.flood,
    "rows": rows.many_rows,
    "limits": limits.limits,
}
