"""Who fetches which bytes: every byte once, whatever the connections do."""

from __future__ import annotations

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from jobs import ranges
from jobs.ranges import Piece, Plan

KIB = 1024
PART = 1024 * KIB


@given(seed=st.integers(0), size=st.integers(1, 40), threads=st.integers(1, 6))
@settings(max_examples=200, deadline=None)
def test_every_byte_is_accepted_once(seed: int, size: int, threads: int) -> None:
    """Connections that get some bytes, break off, or are overtaken, in any order."""
    chance = random.Random(seed)
    size_bytes, part_bytes = size * 100 * KIB + 7, 512 * KIB
    stored = {n for n in range(-(-size_bytes // part_bytes)) if chance.random() < 0.3}
    plan, now = Plan(size_bytes, part_bytes, stored), 0.0
    accepted: list[tuple[int, int]] = []
    running: list[Piece] = []
    while not plan.is_fetched:
        now += chance.choice([0.01, 0.5, 4.0])
        if len(running) < threads and (piece := plan.take(now, may_open=True)):
            running.append(piece)
        if not running:
            continue
        piece = chance.choice(running)
        came, first = chance.choice([0, 64 * KIB, 2 * part_bytes]), piece.position
        accepted.append((first, first + plan.accept(piece, came, now)))
        if not (piece.left and came):  # done, or the line broke
            plan.give_back(piece)
            running.remove(piece)

    wanted = [n for n in range(plan.parts) if n not in stored]
    assert all(plan.is_whole(n) for n in wanted)
    ends = sorted(span for span in accepted if span[0] < span[1])
    assert sum(end - first for first, end in ends) == sum(map(plan.size_of, wanted))
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(ends)), "twice"


def a_plan(parts: int = 2) -> Plan:
    return Plan(parts * PART, PART)


def test_parts_are_handed_out_from_the_front_and_the_last_is_short() -> None:
    plan = Plan(2 * PART + 5, PART)

    taken = [plan.take(0.0, may_open=True) for _ in range(3)]

    assert [(p.part, p.position, p.end) for p in taken if p] == [
        (0, 0, PART),
        (1, PART, 2 * PART),
        (2, 2 * PART, 2 * PART + 5),
    ]


def test_stored_parts_are_not_fetched_again() -> None:
    plan = Plan(3 * PART, PART, frozenset({0, 2}))

    first, second = plan.take(0.0, may_open=True), plan.take(0.0, may_open=True)

    assert first
    assert (first.part, second) == (1, None)


def test_what_a_broken_connection_lacks_comes_before_all_else() -> None:
    plan = a_plan(3)
    broken = plan.take(0.0, may_open=True)
    assert broken
    plan.accept(broken, 100, 1.0)
    plan.give_back(broken)

    again = plan.take(1.0, may_open=True)

    assert again
    assert (again.position, again.end) == (100, PART)


def test_a_free_connection_takes_half_of_the_slowest_ones_rest() -> None:
    plan = a_plan(2)
    fast, slow = plan.take(0.0, may_open=True), plan.take(0.0, may_open=True)
    assert fast
    assert slow
    plan.accept(fast, PART - 200 * KIB, 10.0)
    plan.accept(slow, 24 * KIB, 10.0)

    helper = plan.take(10.0, may_open=True)

    assert helper
    assert helper.part == slow.part
    assert (helper.position, helper.end) == (slow.end, 2 * PART)
    assert slow.left == helper.left


def test_nobody_helps_where_it_is_not_worth_a_request() -> None:
    plan = a_plan(1)
    only = plan.take(0.0, may_open=True)
    assert only
    plan.accept(only, PART - ranges.MIN_SPLIT_BYTES + 1, 10.0)
    assert plan.take(10.0, may_open=True) is None

    quick = a_plan(1)
    only = quick.take(0.0, may_open=True)
    assert only
    quick.accept(only, PART // 2, 0.1)  # it will be there in as long
    assert quick.take(0.1, may_open=True) is None


def test_a_silent_connection_loses_all_it_lacks() -> None:
    plan = a_plan(1)
    silent = plan.take(0.0, may_open=True)
    assert silent
    plan.accept(silent, 10, 1.0)

    helper = plan.take(1.0 + ranges.SILENT_SECONDS + 0.1, may_open=True)

    assert helper
    assert (helper.position, helper.end) == (10, PART)
    assert silent.left == 0
    assert plan.accept(silent, 50, 9.0) == 0, "what comes late is not counted twice"


def test_no_new_part_is_begun_while_there_is_no_room() -> None:
    plan = a_plan(2)
    plan.take(0.0, may_open=True)

    assert plan.take(0.1, may_open=False) is None
    assert plan.take(0.1, may_open=True) is not None
