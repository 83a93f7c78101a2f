"""Counts problem responses by code, such as refusals by a limit, for the metrics."""

from __future__ import annotations

from prometheus_client import Counter

from jobs.web.problems import CODES

_problems = Counter("downloads_problems", "Responses with an error, by its code.", ["code"])


def count_problem(code: str) -> None:
    _problems.labels(code if code in CODES else "other").inc()
