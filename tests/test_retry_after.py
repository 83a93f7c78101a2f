"""Parsing Retry-After of other servers."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from jobs.lib.retry_after import longest_retry_after, parse_retry_after

MOST = 86_400


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("12", 12),
        (" 12 ", 12),
        ("0", 0),
        ("1.5", 2),
        ("86401", MOST),
        ("9" * 5_000, MOST),
        ("-5", 0),
        ("", 0),
        ("soon", 0),
        ("1e3", 0),
        ("٣", 0),
        ("²", 0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MOST),
        ("Dec 99999999999999999999 1 12:26:40", 0),
    ],
)
def test_a_number_or_a_date(value: str, seconds: int) -> None:
    assert parse_retry_after(value, at_most=MOST) == seconds


@pytest.mark.parametrize(
    "form",
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"],
)
def test_all_three_forms_of_a_date_are_in_utc(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        value = time.strftime(form, time.gmtime(time.time() + 600))
        assert 590 <= parse_retry_after(value, at_most=MOST) <= 600
    finally:
        monkeypatch.undo()
        time.tzset()


def test_it_is_rounded_up() -> None:
    assert parse_retry_after(formatdate(time.time() + 1.0, usegmt=True), at_most=MOST) <= 1
    assert parse_retry_after("0.1", at_most=MOST) == 1


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ([], 0),
        ([""], 0),
        (["12"], 12),
        (["12", "12"], 12),
        (["12, 12"], 12),
        (["5", "60", "soon"], 60),
        (["Sun, 06 Nov 1994 08:49:37 GMT"], 0),
        (["Fri, 31 Dec 9999 23:59:59 GMT", "5"], MOST),
    ],
)
def test_the_longest_of_several_counts(values: list[str], seconds: int) -> None:
    assert longest_retry_after(values, at_most=MOST) == seconds


def test_a_date_may_be_a_leap_second() -> None:
    assert parse_retry_after("Fri, 31 Dec 9998 23:59:60 GMT", at_most=MOST) == MOST
