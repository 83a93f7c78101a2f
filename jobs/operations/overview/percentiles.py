"""Estimate percentiles from the histograms of JobStatistics. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from jobs.models.job_statistics import BOUNDS


def estimated_percentile(counts: Sequence[int], share: float) -> float | None:
    """Return the seconds below which this share of the counted times is; None without any.

    Times are taken as spread evenly within their bucket. Those in the last one, which has no upper
    bound, are infinite.
    """
    if not (total := sum(counts)):
        return None
    rank = share * total
    for number, sum_below in enumerate(accumulate(counts)):
        if sum_below < rank or not counts[number]:
            continue
        if number == len(BOUNDS):
            return float("inf")
        lowest = BOUNDS[number - 1] if number else 0.0
        inside = (rank - (sum_below - counts[number])) / counts[number]
        return lowest + (BOUNDS[number] - lowest) * inside
    return None
