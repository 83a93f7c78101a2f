"""How a fetch divides a file: every byte is fetched once, whatever the connections do."""

from __future__ import annotations

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.kinds.remote import ranges
from jobs.kinds.remote.ranges import RUN, RangePiece, RangePlan

KIB = 1024
PART = 1024 * KIB


@given(seed=st.integers(0), size=st.integers(1, 40), threads=st.integers(1, 6))
@settings(max_examples=200, deadline=None)
def test_every_byte_is_accepted_once(seed: int, size: int, threads: int) -> None:
    """Connections get some bytes, break, or are overtaken, in any order."""
    chance = random.Random(seed)
    size_bytes, part_bytes = size * 100 * KIB + 7, 512 * KIB
    stored = {n for n in range(-(-size_bytes // part_bytes)) if chance.random() < 0.3}
    plan, now = RangePlan(size_bytes, part_bytes, stored), 0.0
    accepted: list[tuple[int, int]] = []
    running: list[RangePiece] = []
    while not plan.is_fetched:
        now += chance.choice([0.01, 0.5, 4.0])
        if len(running) < threads and (piece := plan.take(now, room=9)):
            running.append(piece)
        if not running:
            continue
        piece = chance.choice(running)
        came, first = chance.choice([0, 64 * KIB, 2 * part_bytes]), piece.position
        kept = sum(share.size for share in plan.accept(piece, came, now))
        accepted.append((first, first + kept))
        if not (piece.left and came):  # finished, or the connection broke
            plan.give_back(piece)
            running.remove(piece)

    wanted = [n for n in range(plan.parts) if n not in stored]
    assert all(plan.is_whole(n) for n in wanted)
    ends = sorted(span for span in accepted if span[0] < span[1])
    assert sum(end - first for first, end in ends) == sum(map(plan.size_of, wanted))
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(ends)), "twice"


def a_plan(parts: int = 2) -> RangePlan:
    return RangePlan(parts * PART, PART)


def taken(plan: RangePlan, now: float = 0.0, room: int = RUN) -> RangePiece:
    piece = plan.take(now, room=room)
    assert piece
    return piece


def span(piece: RangePiece) -> tuple[int, int]:
    return piece.position, piece.end


def test_parts_are_handed_out_from_the_front_a_few_at_a_time() -> None:
    plan = RangePlan(4 * PART + 5, PART)

    pieces = [taken(plan) for _ in range(3)]

    spans = [(0, 2 * PART), (2 * PART, 4 * PART), (4 * PART, 4 * PART + 5)]
    assert [span(piece) for piece in pieces] == spans
    assert list(plan.parts_of(pieces[1])) == [2, 3]


def test_no_more_parts_are_begun_than_there_is_room_for() -> None:
    plan = a_plan(3)

    assert span(taken(plan, room=1)) == (0, PART)
    assert plan.take(0.1, room=0) is None
    assert span(taken(plan, room=9)) == (PART, 3 * PART)


def test_stored_parts_are_not_fetched_again() -> None:
    plan = RangePlan(5 * PART, PART, frozenset({0, 2}))

    assert [span(taken(plan)) for _ in range(2)] == [(PART, 2 * PART), (3 * PART, 5 * PART)]
    assert plan.take(0.0, room=RUN) is None


def test_received_bytes_are_reported_by_part() -> None:
    plan = a_plan(2)
    piece = taken(plan)

    first = plan.accept(piece, PART - 10, 1.0)
    second = plan.accept(piece, 30, 1.0)

    assert first == [(0, 0, PART - 10)]
    assert second == [(0, PART - 10, 10), (1, 0, 20)]
    assert (plan.is_whole(0), plan.is_whole(1)) == (True, False)


def test_the_rest_of_a_broken_connection_comes_first() -> None:
    plan = a_plan(4)
    broken = taken(plan)
    plan.accept(broken, 100, 1.0)
    plan.give_back(broken)

    assert span(taken(plan, 1.0)) == (100, 2 * PART)


def test_a_free_connection_takes_half_of_the_slowest_rest() -> None:
    plan = a_plan(4)
    fast, slow = taken(plan), taken(plan)
    plan.accept(fast, 2 * PART - 200 * KIB, 10.0)
    plan.accept(slow, 24 * KIB, 10.0)

    helper = taken(plan, 10.0)

    assert span(helper) == (slow.end, 4 * PART)
    assert slow.left == helper.left


def test_a_small_rest_is_not_divided() -> None:
    plan = a_plan(1)
    plan.accept(taken(plan), PART - ranges.MIN_SPLIT_BYTES + 1, 10.0)
    assert plan.take(10.0, room=RUN) is None

    quick = a_plan(1)
    quick.accept(taken(quick), PART // 2, 0.1)  # it will be there in as long
    assert quick.take(0.1, room=RUN) is None


def test_a_silent_connection_loses_its_whole_rest() -> None:
    plan = a_plan(1)
    silent = taken(plan)
    plan.accept(silent, 10, 1.0)

    helper = taken(plan, 1.0 + ranges.SILENT_SECONDS + 0.1)

    assert span(helper) == (10, PART)
    assert silent.left == 0
    assert plan.accept(silent, 50, 9.0) == [], "what comes late is not counted twice"


def test_a_connection_without_a_first_byte_keeps_its_range() -> None:
    """Else connections to a slow server would take ranges from one another for ever."""
    plan = a_plan(1)
    taken(plan)

    assert plan.take(10 * ranges.SILENT_SECONDS, room=RUN) is None
