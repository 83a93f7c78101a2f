"""How long a job is expected to take, from the last ones of its kind."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.engine.kind_speeds import GUESSED_SPEED, measured_speed
from jobs.states import Status
from tests.factories import JobFactory

MEGA = 1_000_000


def completed(owner: User, *jobs: tuple[int, float]) -> None:
    """Create uploads with these totals, which took these seconds."""
    now = timezone.now()
    for total, seconds in jobs:
        JobFactory(
            kind="upload", owner=owner, status=Status.COMPLETED, total=total, done=total,
            started_at=now - timedelta(seconds=seconds), finished_at=now,
        )  # fmt: skip


def test_without_jobs_it_is_a_guess(db: None) -> None:
    assert measured_speed("upload") == GUESSED_SPEED


def test_small_jobs_say_little_about_a_large_one(alice: User) -> None:
    """The times of small uploads differ by chance: a line through them said 730 s for 59 MB."""
    completed(alice, (20_000, 0.4), (40_000, 0.3), (60_000, 1.4), (80_000, 0.9), (100_000, 1.6))

    assert measured_speed("upload").seconds(59 * MEGA) < 5
    assert measured_speed("upload").seconds(50_000) == pytest.approx(0.92, abs=0.1)


def test_a_fixed_time_and_a_rate_are_told_apart(alice: User) -> None:
    completed(alice, *((size * MEGA, 2 + size * 0.1) for size in (1, 5, 10, 20, 40)))

    speed = measured_speed("upload")

    assert speed.seconds(0) == pytest.approx(2, abs=0.01)
    assert speed.seconds(30 * MEGA) == pytest.approx(5, abs=0.01)
    assert speed.seconds(200 * MEGA) == pytest.approx(22, abs=0.01)


def test_a_slope_counts_only_near_what_was_measured(alice: User) -> None:
    completed(alice, *((size * 1000, 0.5 + size * 0.01) for size in (10, 20, 30, 40)))

    # To ten times the largest, 10 µs a byte; then 20 MB/s, the first guess.
    assert measured_speed("upload").seconds(60 * MEGA) == pytest.approx(0.5 + 4 + 3, abs=0.2)


def test_jobs_of_one_size_take_their_average(alice: User) -> None:
    completed(alice, (MEGA, 1.0), (MEGA, 3.0))

    assert measured_speed("upload").seconds(MEGA) == pytest.approx(2)


def test_two_jobs_are_no_line(alice: User) -> None:
    completed(alice, (1000, 0.2), (2000, 1.0))

    assert measured_speed("upload").seconds(MEGA) < 1.5
