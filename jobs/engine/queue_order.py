"""The order in which the ready jobs of a queue will start, as far as it is known now.

It follows jobs_next_1 in migration 0027, without a query: by priority, then by the owner's tag.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

MAX_CREDIT = 300.0  # virtual seconds that an owner may be behind the clock
EXACT = 16  # jobs of a lane whose places and sizes are known; the others are sampled
Key = tuple[int, float, int]  # minus the priority, the start in virtual time, the lane


class ReadyLane(NamedTuple):
    """The first ready jobs of a lane, at least one."""

    id: int
    owner_id: int
    priority: int
    weight: float
    ready: int
    is_capped: bool  # it may have more than `ready`
    times: Sequence[float]  # when the jobs at the places SAMPLED came, in Unix time
    before: Sequence[float]  # the estimated seconds before each of the first jobs, and after them

    def seconds_before(self, place: int) -> float:
        """Return the estimated seconds of the jobs before the place, counted from 0."""
        last = len(self.before) - 1
        return self.before[place] if place <= last else self.before[last] * place / last


class Place(NamedTuple):
    """How many jobs start before one, and their estimated seconds; or more, if `is_least`."""

    jobs: int
    seconds: float
    is_least: bool = False


class _Point(NamedTuple):
    """Some jobs of a lane, one after the other."""

    key: Key
    jobs: int
    seconds: float
    number: int  # among the points of its lane


class _Places(NamedTuple):
    times: Sequence[float]
    places: list[Place]  # one more than times: that of a job that comes now


def _sampled(most: int) -> list[int]:
    places = [0]
    while places[-1] < most:
        places.append(max(places[-1] + 1, round(places[-1] * 1.1)))
    return places


SAMPLED = _sampled(20_000)  # each of the first places of a lane, then every tenth part


class QueueOrder:
    """Where each ready job of a queue stands."""

    def __init__(
        self,
        lanes: Iterable[ReadyLane],
        blocked: Iterable[ReadyLane] = (),
        *,
        tags: Mapping[int, float],
        clock: float,
    ) -> None:
        """`tags` are those of the owners; without one, an owner was idle, and is at the clock.

        Jobs of `blocked` lanes are before no others, but others may be before them.
        """
        self._tags, self._clock = tags, clock
        points = sorted(_points(lanes, tags, clock))
        self._keys = [point.key for point in points]
        self._places = [Place(0, 0.0)]
        self._lanes: dict[int, _Places] = {}
        self._add(lanes, points)
        for lane in blocked:
            self._add_blocked(lane)

    def place(
        self, lane_id: int | None, available_at: float, *, owner_id: int, priority: int
    ) -> Place:
        """Return the place of a job. A job that came since the order was read is the last one."""
        lane = self._lanes.get(lane_id) if lane_id is not None else None
        if lane:
            return lane.places[bisect_left(lane.times, available_at)]
        return self._before((-priority, self._tag(owner_id), 0))

    def _add(self, lanes: Iterable[ReadyLane], points: Iterable[_Point]) -> None:
        capped = {lane.id: lane.is_capped for lane in lanes}
        found: defaultdict[int, list[Place]] = defaultdict(list)
        jobs, seconds = 0, 0.0
        for point in points:
            is_least = capped[point.key[2]] and not point.jobs
            found[point.key[2]].append(Place(jobs, seconds, is_least))
            jobs, seconds = jobs + point.jobs, seconds + point.seconds
            self._places.append(Place(jobs, seconds))
        self._lanes |= {lane.id: _Places(lane.times, found[lane.id]) for lane in lanes}

    def _add_blocked(self, lane: ReadyLane) -> None:
        places = []
        for point in _points_of(lane, self._tag(lane.owner_id)):
            before = self._before(point.key)
            own = SAMPLED[point.number] if point.jobs else lane.ready
            seconds = before.seconds + lane.seconds_before(own)
            places.append(Place(before.jobs + own, seconds, lane.is_capped and not point.jobs))
        self._lanes[lane.id] = _Places(lane.times, places)

    def _before(self, key: Key) -> Place:
        return self._places[bisect_left(self._keys, key)]

    def _tag(self, owner_id: int) -> float:
        return _not_before(self._clock, self._tags.get(owner_id))


def _points(
    lanes: Iterable[ReadyLane], tags: Mapping[int, float], clock: float
) -> Iterator[_Point]:
    """Yield the jobs with the tags that they will have when their turn comes."""
    ahead = dict(tags)
    levels: defaultdict[int, list[ReadyLane]] = defaultdict(list)
    for lane in lanes:
        levels[lane.priority].append(lane)
    for priority in sorted(levels, reverse=True):
        latest = clock
        for lane in sorted(levels[priority], key=lambda each: each.id):
            tag = _not_before(clock, ahead.get(lane.owner_id))
            yield from _points_of(lane, tag)
            ahead[lane.owner_id] = tag + lane.seconds_before(lane.ready) / lane.weight
            latest = max(latest, tag + lane.seconds_before(lane.ready - 1) / lane.weight)
        clock = latest  # the virtual time once all of this priority have started


def _not_before(clock: float, tag: float | None) -> float:
    return clock if tag is None else max(tag, clock - MAX_CREDIT)


def _points_of(lane: ReadyLane, tag: float) -> Iterator[_Point]:
    places = [*SAMPLED[: len(lane.times)], lane.ready]
    seconds = [lane.seconds_before(place) for place in places]
    for number, ((place, before), (end, after)) in enumerate(
        pairwise([*zip(places, seconds, strict=True), (lane.ready, seconds[-1])])
    ):
        key = (-lane.priority, tag + before / lane.weight, lane.id)
        yield _Point(key, end - place, after - before, number)
