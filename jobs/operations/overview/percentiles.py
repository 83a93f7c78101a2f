"""Estimate percentiles from the histograms of JobStatistics. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import inf

from jobs.models.job_statistics import BOUNDS


def estimated_percentile(counts: Sequence[int], share: float, seconds: float = inf) -> float | None:
    """Return the seconds below which this share of the counted times is; None without any.

    Times are taken as spread evenly within their bucket. `seconds`, the sum of all times, narrows
    the slowest one: otherwise a few times of 130 s in a bucket up to 300 s would count as 290 s.
    Those in the last bucket, which has no upper bound, are infinite.
    """
    if not (total := sum(counts)):
        return None
    rank = share * total
    slowest = max(number for number, count in enumerate(counts) if count)
    for number, sum_below in enumerate(accumulate(counts)):
        if sum_below < rank or not counts[number]:
            continue
        if number == len(BOUNDS):
            return inf
        lowest = _lower_bound(number)
        width = BOUNDS[number] - lowest
        if number == slowest:
            width = min(width, _greatest_width(counts, number, seconds))
        inside = (rank - (sum_below - counts[number])) / counts[number]
        return lowest + width * inside
    return None


def _lower_bound(number: int) -> float:
    return BOUNDS[number - 1] if number else 0.0


def _greatest_width(counts: Sequence[int], slowest: int, seconds: float) -> float:
    """Return how wide times that are spread evenly in the slowest bucket are, at most.

    All other times are taken as their bucket's lower bound, which leaves the most for these.
    """
    least = sum(count * _lower_bound(number) for number, count in enumerate(counts))
    return max(2 * (seconds - least) / counts[slowest], 0.0)
