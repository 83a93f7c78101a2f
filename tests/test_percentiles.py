"""Percentiles that are estimated from histograms, and times in words."""

from __future__ import annotations

from math import inf

import pytest

from jobs.models.job_statistics import BOUNDS, BUCKETS
from jobs.operations.overview.percentiles import estimated_percentile
from jobs.operations.overview.texts import seconds_text, share_text


def histogram(**counts: int) -> list[int]:
    buckets = [0] * BUCKETS
    for number, count in counts.items():
        buckets[int(number[1:])] = count
    return buckets


@pytest.mark.parametrize(
    ("counts", "share", "seconds"),
    [
        (histogram(), 0.5, None),
        (histogram(b0=4), 0.5, 0.05),
        (histogram(b3=10), 0.5, 0.75),
        (histogram(b3=10), 1.0, 1.0),
        (histogram(b0=90, b8=10), 0.5, 0.1 * 50 / 90),
        (histogram(b0=90, b8=10), 0.95, 45.0),
        (histogram(b0=1, b14=99), 0.95, inf),
    ],
)
def test_a_percentile_lies_in_its_bucket(
    counts: list[int], share: float, seconds: float | None
) -> None:
    assert BOUNDS[3] == 1.0
    assert estimated_percentile(counts, share) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("counts", "seconds", "slowest"),
    [
        (histogram(b0=100, b10=10), 10 * 130 + 5, 141.0),  # all of 130 s, in a bucket to 300 s
        (histogram(b10=10), 10 * 120, 120.0),
        (histogram(b10=10), 10 * 210, 300.0),
        (histogram(b10=10), 10 * 299, 300.0),
        (histogram(b10=10), 0, 120.0),  # sums that do not fit
    ],
)
def test_the_sum_of_the_times_narrows_the_slowest_bucket(
    counts: list[int], seconds: float, slowest: float
) -> None:
    assert estimated_percentile(counts, 1.0, seconds) == pytest.approx(slowest)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (0.004, "4 ms"),
        (0.25, "0.2 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (252, "4 min 12 s"),
        (3900, "1 h 5 min"),
        (47 * 3600, "47 h"),
        (3 * 86400, "3 days"),
        (inf, "> 1 h"),
    ],
)
def test_times_are_short(seconds: float | None, text: str) -> None:
    assert seconds_text(seconds).replace("\u00a0", " ") == text


def test_shares_have_a_decimal_only_below_ten_percent() -> None:
    shares = [share_text(share).replace("\u00a0", " ") for share in (0, 0.019, 0.2)]

    assert shares == ["0 %", "1.9 %", "20 %"]
