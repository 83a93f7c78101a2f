"""Which lines are valid, when they are due, and what happens when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobs.lib.cron import (
    CronError,
    cron_text,
    is_time_zone,
    next_cron_time,
    time_zones,
    validated_cron,
)

BERLIN = "Europe/Berlin"  # in 2027, 02:00 is skipped on 28 March and comes twice on 31 October


def next_times(line: str, after: datetime, count: int, zone: str = BERLIN) -> list[str]:
    times = []
    for _ in range(count):
        found = next_cron_time(line, zone, after)
        assert found is not None
        times.append(f"{found:%d %H:%M}")
        after = found
    return times


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("61 * * * *", "minute 61 is not in 0-59."),
        ("0 24 * * *", "hour 24 is not in 0-23."),
        ("0 9 1-32 * *", "day of month 32 is not in 1-31."),
        ("0 9 * 13 *", "month 13 is not in 1-12."),
        ("0 9 * * 8", "day of week 8 is not in 0-7."),
        ("0 9 * * FOO", "day of week 'FOO' is not valid."),
        ("*/0 * * * *", "minute '*/0' is not valid."),
        ("0 9 * *", "Use five fields: minute, hour, day of month, month and day of week."),
        ("0 0 9 * * *", "Use five fields: minute, hour, day of month, month and day of week."),
        ("", "Use five fields: minute, hour, day of month, month and day of week."),
        ("0 9 31 2 *", "No date matches this line."),
        ("* * * * *", "Leave at least 5 minutes between two runs."),
        ("0,3 9 * * *", "Leave at least 5 minutes between two runs."),
        ("58,2 9-10 * * *", "Leave at least 5 minutes between two runs."),
    ],
)
def test_invalid_line_is_explained(line: str, sentence: str) -> None:
    with pytest.raises(CronError) as caught:
        validated_cron(line)

    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("line", "saved"),
    [
        ("  30  8 * *   mon-fri ", "30 8 * * MON-FRI"),
        ("@daily", "0 0 * * *"),
        ("*/5 * * * *", "*/5 * * * *"),
        ("58,2 9 * * *", "58,2 9 * * *"),
        ("0 9 L * *", "0 9 L * *"),
    ],
)
def test_valid_line_is_saved_in_one_form(line: str, saved: str) -> None:
    assert validated_cron(line) == saved


def test_line_is_due_by_the_clocks_of_its_zone() -> None:
    after = datetime(2027, 1, 1, 7, 29, tzinfo=UTC)  # a Friday

    assert next_times("30 8 * * 1-5", after, 2) == ["01 07:30", "04 07:30"]


def test_skipped_time_is_due_when_the_gap_ends() -> None:
    after = datetime(2027, 3, 27, 12, tzinfo=UTC)

    assert next_times("30 2 * * *", after, 2) == ["28 01:00", "29 00:30"]


def test_time_that_comes_twice_is_due_once() -> None:
    after = datetime(2027, 10, 30, 12, tzinfo=UTC)

    assert next_times("30 2 * * *", after, 2) == ["31 00:30", "01 01:30"]


def test_line_made_in_the_hour_that_repeats_is_not_due_in_the_past() -> None:
    after = datetime(2027, 10, 31, 1, 10, tzinfo=UTC)  # 02:10 for the second time

    assert next_times("30 2 * * *", after, 1) == ["01 01:30"]


def test_line_with_a_pace_keeps_it_in_both_hours() -> None:
    after = datetime(2027, 10, 31, 0, 0, tzinfo=UTC)

    assert next_times("*/30 * * * *", after, 4) == ["31 00:30", "31 01:00", "31 01:30", "31 02:00"]


def test_unknown_zone_has_no_times() -> None:
    assert next_cron_time("0 9 * * *", "Mars/Base", datetime(2027, 1, 1, tzinfo=UTC)) is None


def test_text_says_when() -> None:
    assert cron_text("30 8 * * 1-5") == "At 08:30 on Monday through Friday"
    assert cron_text("0 0 * * *") == "At 00:00 every day"


def test_zones_are_cities() -> None:
    assert time_zones()[0] == "UTC"
    assert BERLIN in time_zones()
    assert "Etc/GMT+3" not in time_zones()
    assert is_time_zone("Etc/GMT+3")
    assert not is_time_zone("../etc/passwd")
