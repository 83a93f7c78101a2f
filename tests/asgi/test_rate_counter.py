"""Requests are counted in Redis one by one near a limit, and in batches far from it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis

from jobs.web import rate_counting, rates
from jobs.web.asgi import rate_counter
from jobs.web.asgi.rate_counter import RateCounter
from jobs.web.rate_counting import RatesUnknown
from tests.asgi.both import a_loop, until


@pytest.fixture
def callers() -> dict[str, str]:
    """A caller without requests so far."""
    return {"owner": f"user {uuid4()}", "address": f"address {uuid4()}"}


@pytest.fixture(autouse=True)
def redis_is_there() -> Iterator[None]:
    rate_counting._rest.until = 0.0
    yield
    rate_counting._rest.until = 0.0


def run(story: Coroutine[Any, Any, Any]) -> Any:
    with a_loop() as loop:
        return asyncio.run_coroutine_threadsafe(story, loop).result(30)


async def admitted(counter: RateCounter, callers: dict[str, str], requests: int) -> int:
    found = 0
    for _ in range(requests):
        counts = await counter.count("poll", callers)
        found += not any(count.is_exceeded for count in counts)
    return found


def counted(settings: Any, callers: dict[str, str]) -> list[int]:
    """Return the counts in Redis, for each rate."""
    client = redis.Redis.from_url(settings.CACHE_URL)
    return [int(client.get(key) or 0) for key in rates.RateIncrement.of("poll", callers).keys]


def test_each_request_is_numbered(settings: Any, callers: dict[str, str]) -> None:
    settings.RATES = settings.RATES | {"poll": ["owner:1000/60", "address:2000/60"]}

    async def story() -> None:
        counter = RateCounter()
        for number in range(1, 300):
            owner, address = await counter.count("poll", callers)
            assert (owner.requests, address.requests) == (number, number)
            assert 0 < owner.resets_in_seconds <= 60
        counter.close()

    run(story())


def test_local_counts_are_added_to_redis(settings: Any, callers: dict[str, str]) -> None:
    settings.RATES = settings.RATES | {"poll": ["owner:1000/60", "address:2000/60"]}

    async def story() -> None:
        counter = RateCounter()
        await admitted(counter, callers, 200)
        await until(lambda: counted(settings, callers) == [200, 200])
        await asyncio.sleep(2 * rate_counter.FRESH_SECONDS)  # then it calls Redis again
        await admitted(counter, callers, 1)
        assert counted(settings, callers) == [201, 201]
        counter.close()

    run(story())


def test_an_idle_caller_is_forgotten_locally_and_kept_in_redis(
    settings: Any, callers: dict[str, str]
) -> None:
    settings.RATES = settings.RATES | {"poll": ["owner:1000/60"]}

    async def story() -> None:
        counter = RateCounter()
        await admitted(counter, callers, 2)
        await until(lambda: (counter._local, counter._flushing) == ({}, None))
        assert (await counter.count("poll", callers))[0].requests == 3
        counter.close()

    run(story())


@pytest.mark.parametrize("most", [2, 50, 400])
def test_a_limit_is_exact_in_one_process(settings: Any, callers: dict[str, str], most: int) -> None:
    settings.RATES = settings.RATES | {"poll": [f"owner:{most}/60", "address:100000/60"]}

    async def story() -> None:
        counter = RateCounter()
        assert await admitted(counter, callers, most) == most
        assert await admitted(counter, callers, 20) == 0
        # A refused request does not count towards the next rate.
        assert counted(settings, callers)[1] == most
        counter.close()

    run(story())


def test_two_processes_admit_no_more_than_the_limit(settings: Any, callers: dict[str, str]) -> None:
    """Each process counts locally what the other one cannot see yet."""
    settings.RATES = settings.RATES | {"poll": ["owner:3000/60"]}

    async def steadily(counter: RateCounter) -> int:
        found = 0
        for _ in range(40):
            found += await admitted(counter, callers, 50)
            await asyncio.sleep(0.03)
        return found

    async def story() -> int:
        counters = RateCounter(), RateCounter()
        found = await asyncio.gather(*map(steadily, counters))
        for counter in counters:
            counter.close()
        return sum(found)

    assert run(story()) == 3000


def test_nothing_is_counted_while_redis_is_down(settings: Any, callers: dict[str, str]) -> None:
    settings.RATES = settings.RATES | {"poll": ["owner:1000/60"]}

    async def story() -> None:
        counter = RateCounter()
        await admitted(counter, callers, 3)
        settings.CACHE_URL = "redis://127.0.0.1:1/0"
        away = RateCounter()
        with pytest.raises(RatesUnknown):
            await away.count("poll", callers)
        with pytest.raises(RatesUnknown):  # nor does any other call for a while
            await counter.count("poll", callers)
        counter.close()
        away.close()

    run(story())
