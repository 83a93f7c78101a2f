"""The figures of a report."""

from __future__ import annotations

import random
import statistics
from array import array
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from jobs.kinds.report.document import FigureAggregator, Figures, Percentiles, ReportRow
from jobs.kinds.report.document.figures import LARGEST, JobOutcome, percentile_figure
from tests.reports.built_reports import FIRST, LAST, NOON, report_row


def figures_of(*rows: ReportRow) -> Figures:
    aggregator = FigureAggregator(FIRST, LAST)
    for each in rows:
        aggregator.add(each)
    return aggregator.figures()


def test_no_rows_give_zeros_and_no_times() -> None:
    figures = figures_of()

    assert (figures.jobs, figures.finished, figures.all.size_bytes) == (0, 0, 0)
    assert (figures.waiting, figures.running) == (None, None)
    assert len(figures.days) == 30
    assert (figures.kinds, figures.failures, figures.largest) == ([], [], [])


def test_jobs_are_counted_by_outcome() -> None:
    statuses = ["completed", "expired", "expired", "failed", "cancelled", "queued", "processing"]

    figures = figures_of(*(report_row(status=status) for status in statuses))

    assert figures.all.outcomes == {
        JobOutcome.COMPLETED: 3,
        JobOutcome.FAILED: 1,
        JobOutcome.CANCELLED: 1,
        JobOutcome.IN_PROGRESS: 2,
    }
    assert (figures.jobs, figures.finished, figures.completed, figures.failed) == (7, 5, 3, 1)


def test_kinds_are_sorted_by_count_and_have_their_own_times() -> None:
    figures = figures_of(
        report_row(kind="upload", waited_seconds=7.0, ran_seconds=None),
        report_row(kind="bundle", waited_seconds=1.0),
        report_row(kind="bundle", waited_seconds=None, status="queued", ran_seconds=None),
    )

    assert [(kind.kind, kind.jobs) for kind in figures.kinds] == [("bundle", 2), ("upload", 1)]
    bundle, upload = figures.kinds
    assert bundle.statuses == {"completed": 1, "queued": 1}
    assert bundle.waiting == Percentiles(1, 1.0, 1.0, 1.0, 1.0)
    assert upload.running is None
    assert figures.waiting
    assert (figures.waiting.count, figures.waiting.median) == (2, 4.0)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 1001])
def test_percentiles_use_the_inclusive_method(size: int) -> None:
    rng = random.Random(size)
    values = [rng.expovariate(0.1) for _ in range(size)]

    found = Percentiles.of(values)

    assert found
    assert (found.count, found.longest) == (size, max(values))
    assert found.median == pytest.approx(statistics.median(values))
    if size > 1:
        cuts = statistics.quantiles(values, n=100, method="inclusive")
        assert (found.p95, found.p99) == pytest.approx((cuts[94], cuts[98]))


def test_percentile_is_interpolated_between_two_ranks() -> None:
    assert percentile_figure(array("d", [10, 20, 30, 40]), 0.95) == pytest.approx(38.5)


def test_days_are_in_utc() -> None:
    late = datetime(2026, 11, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))

    figures = figures_of(report_row(created_at=late, size_bytes=5))

    assert figures.days[date(2026, 10, 31)].size_bytes == 5
    assert figures.days[date(2026, 11, 1)].size_bytes == 0
    assert figures.hours[23].outcomes.total() == 1


def test_row_outside_the_period_is_not_counted_in_days() -> None:
    figures = figures_of(report_row(created_at=datetime(2020, 1, 1, tzinfo=UTC)))

    assert figures.jobs == 1
    assert sum(tally.outcomes.total() for tally in figures.days.values()) == 0


def test_failures_are_counted_by_code_for_failed_jobs_only() -> None:
    figures = figures_of(
        report_row(status="queued", error_code="remote_unavailable"),
        *(
            report_row(status="failed", error_code=code)
            for code in ["timeout", "infected", "timeout"]
        ),
    )

    assert figures.failures == [("timeout", 2), ("infected", 1)]


def test_largest_prefers_the_first_of_equal_sizes() -> None:
    sizes = [5, 900, None, 7, 900, *range(100, 130)]

    figures = figures_of(*(report_row(str(at), size_bytes=size) for at, size in enumerate(sizes)))

    assert len(figures.largest) == LARGEST
    assert [each.name for each in figures.largest[:3]] == ["1", "4", "34"]


def test_each_owner_is_counted_once() -> None:
    figures = figures_of(
        report_row(owner="ana"), report_row(owner="boris"), report_row(owner="ana", created_at=NOON)
    )

    assert figures.owners == 2
