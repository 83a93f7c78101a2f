"""One who asks too often is told so, and when to come again; nobody else notices."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from downloads_project.settings import next_database
from downloads_project.stack import Stack
from jobs import rates
from jobs.models import DownloadJob
from tests.factories import JobFactory

INITIATE, JOBS, CHECK, TOKEN = (
    "/v1/download/initiate",
    "/v1/download/jobs",
    "/v1/download/check",
    "/v1/auth/token",
)
WRONG = {"username": "alice", "password": "wrong"}


@pytest.fixture(autouse=True)
def nothing_counted(settings: Any) -> Iterator[redis.Redis]:
    counter = redis.Redis.from_url(settings.CACHE_URL)
    counter.flushdb()
    rates._rest.until = 0
    settings.RATES = {scope: [] for scope in settings.RATES}
    yield counter
    counter.flushdb()


def initiate(client: APIClient, **headers: str) -> Any:
    return client.post(INITIATE, {"file_ids": [70000]}, headers=headers)


def test_the_101st_initiate_in_a_minute_is_429(
    client_of_alice: APIClient, broker: Any, settings: Any
) -> None:
    settings.RATES |= {"initiate": ["owner:100/60"]}

    answers = [initiate(client_of_alice) for _ in range(101)]

    assert [answer.status_code for answer in answers] == [202] * 100 + [429]
    assert answers[-1].json()["code"] == "throttled"
    assert 0 < int(answers[-1]["Retry-After"]) <= 60
    assert DownloadJob.objects.count() == 100


def test_every_answer_says_how_its_caller_stands(client_of_alice: APIClient, settings: Any) -> None:
    settings.RATES |= {"poll": ["owner:2/60", "address:100/3600"]}

    answer = client_of_alice.get(JOBS)

    assert answer["RateLimit-Policy"] == '"poll-owner";q=2;w=60, "poll-address";q=100;w=3600'
    assert answer["RateLimit"] == '"poll-owner";r=1;t=60, "poll-address";r=99;t=3600'


def test_a_forged_forwarded_address_changes_nothing(settings: Any, db: None) -> None:
    settings.RATES |= {"poll": ["address:2/60"]}

    statuses = [
        APIClient()
        .post(CHECK, {"file_id": 70000}, headers={"X-Forwarded-For": ip, "CF-Connecting-IP": ip})
        .status_code
        for ip in ("1.2.3.4", "1.2.3.5", "1.2.3.6")
    ]

    assert statuses == [200, 200, 429]


def test_behind_a_trusted_proxy_each_client_has_its_own_rate(settings: Any, db: None) -> None:
    settings.RATES |= {"poll": ["address:1/60"]}
    settings.TRUSTED_PROXIES = ["127.0.0.1"]

    def check(forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded}
        return int(APIClient().post(CHECK, {"file_id": 70000}, headers=headers).status_code)

    assert check("203.0.113.1") == 200
    assert check("203.0.113.2") == 200
    assert check("1.2.3.4, 203.0.113.1") == 429


def test_owners_are_counted_apart_and_scopes_too(
    client_of_alice: APIClient, bob: User, broker: Any, settings: Any
) -> None:
    settings.RATES |= {"initiate": ["owner:1/60"], "poll": ["owner:9/60"]}
    client_of_bob = APIClient()
    client_of_bob.force_authenticate(bob)

    assert initiate(client_of_alice).status_code == 202
    assert initiate(client_of_alice).status_code == 429
    assert client_of_alice.get(JOBS).status_code == 200
    assert initiate(client_of_bob).status_code == 202


def test_many_at_once_are_counted_exactly(settings: Any) -> None:
    settings.RATES |= {"initiate": ["owner:20/60"]}
    with ThreadPoolExecutor(16) as threads:
        found = threads.map(lambda _: rates.count("initiate", {"owner": "alice"}), range(50))

    assert sum(not counts[0].is_exceeded for counts in found) == 20


def test_refused_requests_do_not_make_the_window_longer(
    settings: Any, nothing_counted: redis.Redis
) -> None:
    settings.RATES |= {"initiate": ["owner:1/60"]}
    rates.count("initiate", {"owner": "alice"})
    (key,) = nothing_counted.keys("rate:*")
    nothing_counted.expire(key, 30)  # half a minute later

    (refused,) = rates.count("initiate", {"owner": "alice"})

    assert refused.is_exceeded
    assert refused.resets_in_seconds <= 30
    nothing_counted.delete(key)  # as Redis does when it is over
    assert not rates.count("initiate", {"owner": "alice"})[0].is_exceeded


def test_who_asks_too_often_uses_up_nothing_of_others_at_the_address(settings: Any) -> None:
    settings.RATES |= {"initiate": ["owner:1/60", "address:3/60"]}
    for _ in range(9):
        refused = rates.count("initiate", {"owner": "alice", "address": "203.0.113.1"})

    counts = rates.count("initiate", {"owner": "bob", "address": "203.0.113.1"})

    assert [count.rate.who for count in refused] == ["owner"]
    assert [count.requests for count in counts] == [1, 2]


def test_no_rate_is_no_limit_and_no_header(client_of_alice: APIClient, settings: Any) -> None:
    settings.RATES |= {"poll": []}

    assert "RateLimit" not in client_of_alice.get(JOBS)


def test_pages_are_counted_too(client: Client, alice: User, settings: Any) -> None:
    settings.RATES |= {"page": ["owner:1/60"]}
    client.force_login(alice)
    job = JobFactory(owner=alice)

    assert client.get("/").status_code == 200
    told = client.get(f"/downloads/{job.pk}/state", headers={"Accept": "text/html"})

    assert told.status_code == 429
    assert "Too many requests" in told.content.decode()
    assert told["Retry-After"]


# Signing in


def test_an_account_can_be_tried_ten_times_from_wherever(alice: User, settings: Any) -> None:
    settings.RATES |= {"sign-in": ["account:10/60"]}
    settings.TRUSTED_PROXIES = ["127.0.0.1"]

    statuses = [
        APIClient()
        .post(TOKEN, WRONG | {"username": name}, headers={"X-Forwarded-For": f"203.0.113.{n}"})
        .status_code
        for n, name in enumerate(["alice", "ALICE"] * 5 + ["alice"])
    ]

    assert statuses == [401] * 10 + [429]


def test_an_address_can_try_ten_times_whatever_the_account(db: None, settings: Any) -> None:
    settings.RATES |= {"sign-in": ["account:10/60", "address:10/60"]}

    statuses = [
        APIClient().post(TOKEN, {"username": f"user-{n}", "password": "x"}).status_code
        for n in range(11)
    ]

    assert statuses == [401] * 10 + [429]


@pytest.mark.parametrize("page", ["/sign-in", "/admin/login/"])
def test_the_pages_to_sign_in_are_counted_too(
    client: Client, alice: User, settings: Any, page: str
) -> None:
    settings.RATES |= {"sign-in": ["account:1/60"]}

    first = client.post(page, WRONG)
    second = client.post(page, WRONG, headers={"Accept": "text/html"})

    assert (first.status_code, second.status_code) == (200, 429)
    assert "Too many requests" in second.content.decode()


def test_the_right_password_does_not_help_whoever_tried_too_often(
    alice: User, settings: Any
) -> None:
    settings.RATES |= {"sign-in": ["account:1/60"]}
    APIClient().post(TOKEN, WRONG)

    answer = APIClient().post(TOKEN, WRONG | {"password": "correct horse"})

    assert answer.status_code == 429


# Redis hangs


@pytest.fixture
def frozen_redis(stack: Stack, settings: Any) -> Iterator[None]:
    settings.RATES = {scope: ["owner:9/60"] for scope in settings.RATES}
    server = next(process for process in stack.processes if process.name == "Redis")
    os.killpg(server.popen.pid, signal.SIGSTOP)
    yield
    os.killpg(server.popen.pid, signal.SIGCONT)


def test_when_redis_hangs_polling_and_creating_go_on(
    client_of_alice: APIClient, frozen_redis: None
) -> None:
    began = time.monotonic()
    statuses = [client_of_alice.get(JOBS).status_code, initiate(client_of_alice).status_code]

    assert statuses == [200, 202]
    assert time.monotonic() - began < 0.7 * 2


@pytest.mark.parametrize("page", [TOKEN, "/sign-in", "/admin/login/"])
def test_when_redis_hangs_nobody_can_sign_in(alice: User, frozen_redis: None, page: str) -> None:
    client = APIClient() if page == TOKEN else Client()
    began = time.monotonic()

    answer = client.post(page, WRONG)

    assert time.monotonic() - began < 0.7
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.json()["code"] == "sign_in_closed"


def test_only_the_first_request_of_a_second_waits_for_a_redis_that_hangs(
    client_of_alice: APIClient, frozen_redis: None
) -> None:
    client_of_alice.get(JOBS)

    with pytest.raises(rates.RatesUnknown) as caught:
        rates.count("poll", {"owner": "alice"})

    assert caught.value.__cause__ is None  # Redis was not asked


@pytest.mark.parametrize(
    ("broker", "cache"),
    [
        ("redis://h:6379/0", "redis://h:6379/1"),
        ("redis://:p%40ss@h:6379", "redis://:p%40ss@h:6379/1"),
        ("rediss://h:6379/4?ssl_cert_reqs=none", "rediss://h:6379/5?ssl_cert_reqs=none"),
        ("redis+socket:///run/redis.sock", "redis+socket:///run/redis.sock"),
    ],
)
def test_counts_lie_in_the_next_database_by_default(broker: str, cache: str) -> None:
    assert next_database(broker) == cache
