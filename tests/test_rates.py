"""Rate limits: 429 with Retry-After for a caller over its limit; others are not affected."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from downloads_project.local.stack import Stack
from downloads_project.settings import next_database
from jobs.models import DownloadJob
from jobs.web import rate_counting, sign_in_window
from jobs.web.sign_in_window import AttemptWindow
from tests.factories import JobFactory, UserFactory

INITIATE, JOBS, CHECK, TOKEN = (
    "/v1/download/initiate",
    "/v1/download/jobs",
    "/v1/download/check",
    "/v1/auth/token",
)
WRONG = {"username": "alice", "password": "wrong"}
SOON_SECONDS = 10  # on a busy machine; a hanging Redis would be waited for without end


@pytest.fixture(autouse=True)
def clear_counts(settings: Any) -> Iterator[redis.Redis]:
    counter = redis.Redis.from_url(settings.CACHE_URL)
    counter.flushdb()
    rate_counting._rest.until = 0
    sign_in_window.unknown_devices.clear()
    sign_in_window.known_devices.clear()
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


def test_every_response_has_the_callers_rate_limit(
    client_of_alice: APIClient, settings: Any
) -> None:
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


def test_owners_and_scopes_are_counted_separately(
    client_of_alice: APIClient, bob: User, broker: Any, settings: Any
) -> None:
    settings.RATES |= {"initiate": ["owner:1/60"], "poll": ["owner:9/60"]}
    client_of_bob = APIClient()
    client_of_bob.force_authenticate(bob)

    assert initiate(client_of_alice).status_code == 202
    assert initiate(client_of_alice).status_code == 429
    assert client_of_alice.get(JOBS).status_code == 200
    assert initiate(client_of_bob).status_code == 202


def test_concurrent_requests_are_counted_exactly(settings: Any) -> None:
    settings.RATES |= {"initiate": ["owner:20/60"]}
    with ThreadPoolExecutor(16) as threads:
        found = threads.map(
            lambda _: rate_counting.count_in_rates("initiate", {"owner": "alice"}), range(50)
        )

    assert sum(not counts[0].is_exceeded for counts in found) == 20


def test_refused_requests_do_not_make_the_window_longer(
    settings: Any, clear_counts: redis.Redis
) -> None:
    settings.RATES |= {"initiate": ["owner:1/60"]}
    rate_counting.count_in_rates("initiate", {"owner": "alice"})
    (key,) = clear_counts.keys("rate:*")
    clear_counts.expire(key, 30)  # half a minute later

    (refused,) = rate_counting.count_in_rates("initiate", {"owner": "alice"})

    assert refused.is_exceeded
    assert refused.resets_in_seconds <= 30
    clear_counts.delete(key)  # as Redis does when it expires
    assert not rate_counting.count_in_rates("initiate", {"owner": "alice"})[0].is_exceeded


def test_refused_requests_do_not_count_for_the_address(settings: Any) -> None:
    settings.RATES |= {"initiate": ["owner:1/60", "address:3/60"]}
    for _ in range(9):
        refused = rate_counting.count_in_rates(
            "initiate", {"owner": "alice", "address": "203.0.113.1"}
        )

    counts = rate_counting.count_in_rates("initiate", {"owner": "bob", "address": "203.0.113.1"})

    assert [count.rate.who for count in refused] == ["owner"]
    assert [count.requests for count in counts] == [1, 2]


def test_without_a_rate_there_is_no_limit_and_no_header(
    client_of_alice: APIClient, settings: Any
) -> None:
    settings.RATES |= {"poll": []}

    assert "RateLimit" not in client_of_alice.get(JOBS)


def test_pages_are_counted_too(client: Client, alice: User, settings: Any) -> None:
    settings.RATES |= {"page": ["owner:1/60"]}
    client.force_login(alice)
    job = JobFactory(owner=alice)

    assert client.get("/").status_code == 200
    response = client.get(f"/downloads/{job.pk}/state", headers={"Accept": "text/html"})

    assert response.status_code == 429
    assert "Too many requests" in response.content.decode()
    assert response["Retry-After"]


# Sign-in


def test_an_account_allows_ten_attempts_from_all_addresses(alice: User, settings: Any) -> None:
    settings.RATES |= {"sign-in": ["account:10/60"]}
    settings.TRUSTED_PROXIES = ["127.0.0.1"]

    statuses = [
        APIClient()
        .post(TOKEN, WRONG | {"username": name}, headers={"X-Forwarded-For": f"203.0.113.{n}"})
        .status_code
        for n, name in enumerate(["alice", "ALICE"] * 5 + ["alice"])
    ]

    assert statuses == [401] * 10 + [429]


def test_an_address_allows_ten_attempts_for_all_accounts(db: None, settings: Any) -> None:
    settings.RATES |= {"sign-in": ["account:10/60", "address:10/60"]}

    statuses = [
        APIClient().post(TOKEN, {"username": f"user-{n}", "password": "x"}).status_code
        for n in range(11)
    ]

    assert statuses == [401] * 10 + [429]


# As in production, with smaller numbers.
SIGN_IN_RATES = ["account-address:3/600", "address:5/60", "account:12/600", "device:3/60"]
NUMBERS = count()
SIGN_IN_PAGES = [TOKEN, "/sign-in", "/admin/login/"]


def try_to_sign_in(
    page: str, address: str, *, password: str = "wrong", name: str = "alice", client: Any = None
) -> Any:
    client = client or (APIClient() if page == TOKEN else Client())
    login = {"username": name, "password": password}
    return client.post(page, login, headers={"X-Forwarded-For": address})


@pytest.fixture
def rates_of_production(settings: Any) -> None:
    settings.RATES |= {"sign-in": SIGN_IN_RATES}
    settings.TRUSTED_PROXIES = ["127.0.0.1"]


@pytest.mark.usefixtures("rates_of_production")
@pytest.mark.parametrize("page", SIGN_IN_PAGES)
def test_wrong_passwords_of_one_address_do_not_affect_others(operator: User, page: str) -> None:
    wrong = [try_to_sign_in(page, "203.0.113.1", name="olga") for _ in range(14)]

    right = try_to_sign_in(page, "198.51.100.7", name="olga", password="correct horse")

    assert [each.status_code for each in wrong[3:]] == [429] * 11
    assert 60 < int(wrong[3]["Retry-After"]) <= 600
    assert right.status_code == (200 if page == TOKEN else 302)


@pytest.mark.usefixtures("rates_of_production")
def test_an_account_allows_few_guesses_in_all(alice: User) -> None:
    statuses = [try_to_sign_in(TOKEN, f"203.0.113.{n % 8}").status_code for n in range(16)]

    assert statuses == [401] * 12 + [429] * 4


@pytest.mark.usefixtures("rates_of_production")
@pytest.mark.parametrize("page", SIGN_IN_PAGES)
def test_a_known_device_is_exempt(operator: User, page: str) -> None:
    device = APIClient() if page == TOKEN else Client()
    home, login = "198.51.100.7", {"name": "olga", "password": "correct horse"}
    assert try_to_sign_in(page, home, client=device, **login).status_code in (200, 302)
    device.cookies.pop("sessionid", None)
    for n in range(14):  # a botnet, and three from this address
        try_to_sign_in(TOKEN, home if n < 3 else f"203.0.113.{n}", name="olga")

    stranger = try_to_sign_in(page, "198.51.100.8", **login)
    neighbour = try_to_sign_in(page, home, **login)
    again = try_to_sign_in(page, home, client=device, **login)

    assert (stranger.status_code, neighbour.status_code) == (429, 429)
    assert again.status_code == (200 if page == TOKEN else 302)


@pytest.mark.usefixtures("rates_of_production")
def test_a_known_device_has_few_guesses(alice: User) -> None:
    device = known_to("alice")

    statuses = [try_to_sign_in(TOKEN, "::1", client=device).status_code for _ in range(4)]

    assert statuses == [401] * 3 + [429]


@pytest.mark.usefixtures("rates_of_production")
def test_a_device_without_a_rate_is_not_exempt(alice: User, settings: Any) -> None:
    settings.RATES |= {"sign-in": ["account:1/60"]}
    device = known_to("alice")

    statuses = [try_to_sign_in(TOKEN, "::1", client=device).status_code for _ in range(2)]

    assert statuses == [401, 429]


@pytest.mark.usefixtures("rates_of_production")
@pytest.mark.parametrize("other", ["bob", "ALICE"])
def test_a_device_of_another_account_is_not_exempt(alice: User, other: str) -> None:
    UserFactory(username=other)
    device = known_to(other)

    statuses = [try_to_sign_in(TOKEN, "::1", client=device).status_code for _ in range(4)]

    assert statuses == [401] * 3 + [429]
    assert try_to_sign_in(TOKEN, "::1", client=device, password="correct horse").status_code == 429


@pytest.mark.usefixtures("rates_of_production")
def test_a_new_password_forgets_known_devices(alice: User) -> None:
    device = known_to("alice")
    alice.set_password("another")
    alice.save()
    for _ in range(4):
        try_to_sign_in(TOKEN, "::1")

    assert try_to_sign_in(TOKEN, "::1", client=device, password="another").status_code == 429


@pytest.mark.usefixtures("rates_of_production")
@pytest.mark.parametrize("value", ["", "x", "W10:1a2b:c3d4", "\u00e9"])
def test_a_forged_device_is_not_exempt(alice: User, value: str) -> None:
    device = APIClient()
    device.cookies["known_device"] = value

    statuses = [try_to_sign_in(TOKEN, "::1", client=device).status_code for _ in range(4)]

    assert statuses == [401] * 3 + [429]


@pytest.mark.usefixtures("rates_of_production")
def test_a_device_remembers_a_bounded_number_of_accounts(db: None) -> None:
    device = APIClient()
    for n in range(7):
        UserFactory(username=f"user-of-it-{n}")
        known_to(f"user-of-it-{n}", device)
    for n in (0, 6):
        for _ in range(4):
            try_to_sign_in(TOKEN, f"203.0.113.{n}", name=f"user-of-it-{n}")

    answers = [
        try_to_sign_in(TOKEN, f"203.0.113.{n}", client=device, name=f"user-of-it-{n}")
        for n in (0, 6)
    ]

    assert [answer.status_code for answer in answers] == [429, 401]
    assert len(device.cookies["known_device"].value) < 1_000


@pytest.mark.usefixtures("rates_of_production")
def test_correct_passwords_do_not_count(alice: User) -> None:
    statuses = [
        try_to_sign_in(TOKEN, f"203.0.113.{n % 4}", password="correct horse").status_code
        for n in range(16)
    ]

    assert statuses == [200] * 16


@pytest.mark.usefixtures("rates_of_production")
def test_signing_in_gives_no_guesses_for_other_accounts(alice: User) -> None:
    UserFactory(username="ALICE")
    guesses = []
    for _ in range(4):
        try_to_sign_in(TOKEN, "203.0.113.1", name="ALICE", password="correct horse")
        guesses.append(try_to_sign_in(TOKEN, "203.0.113.1").status_code)

    assert guesses == [401, 429, 429, 429]


@pytest.mark.usefixtures("rates_of_production")
def test_an_invalid_sign_in_is_counted_too(db: None) -> None:
    client = APIClient()

    statuses = [
        client.post(TOKEN, "{", content_type="application/json").status_code for _ in range(4)
    ]

    assert statuses == [400] * 3 + [429]


def test_the_device_cookie_is_http_only(alice: User, settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = True

    cookie = known_to("alice").cookies["known_device"]

    assert cookie["httponly"]
    assert cookie["secure"]
    assert cookie["samesite"] == "Lax"
    assert "alice" not in cookie.value
    assert "known_device" not in try_to_sign_in(TOKEN, "::1").cookies


def known_to(name: str, client: APIClient | None = None) -> APIClient:
    """Return a device that signed in to the account, from an address of its own."""
    client = client or APIClient()
    address = f"192.0.2.{next(NUMBERS) % 256}"
    answer = try_to_sign_in(TOKEN, address, client=client, name=name, password="correct horse")
    assert answer.status_code == 200, answer.content
    return client


@pytest.mark.parametrize("page", ["/sign-in", "/admin/login/"])
def test_the_sign_in_pages_are_counted_too(
    client: Client, alice: User, settings: Any, page: str
) -> None:
    settings.RATES |= {"sign-in": ["account:1/60"]}

    first = client.post(page, WRONG)
    second = client.post(page, WRONG, headers={"Accept": "text/html"})

    assert (first.status_code, second.status_code) == (200, 429)
    assert "Too many requests" in second.content.decode()


def test_the_right_password_is_refused_over_the_limit(alice: User, settings: Any) -> None:
    settings.RATES |= {"sign-in": ["account:1/60"]}
    APIClient().post(TOKEN, WRONG)

    answer = APIClient().post(TOKEN, WRONG | {"password": "correct horse"})

    assert answer.status_code == 429


# Redis hangs


@pytest.fixture
def frozen_redis(stack: Stack, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(rate_counting, "OPEN_SECONDS", 0.2)
    monkeypatch.setattr(rate_counting, "CLOSED_SECONDS", 0.3)
    settings.RATES = {scope: ["owner:9/60"] for scope in settings.RATES}
    server = next(process for process in stack.processes if process.name == "Redis")
    os.killpg(server.popen.pid, signal.SIGSTOP)
    yield
    os.killpg(server.popen.pid, signal.SIGCONT)


def test_polls_and_starts_work_while_redis_hangs(
    client_of_alice: APIClient, frozen_redis: None
) -> None:
    began = time.monotonic()
    statuses = [client_of_alice.get(JOBS).status_code, initiate(client_of_alice).status_code]

    assert statuses == [200, 202]
    assert time.monotonic() - began < SOON_SECONDS


def sign_in(page: str, name: str = "alice", *, password: str = "wrong") -> Any:
    client = APIClient() if page == TOKEN else Client()
    return client.post(page, {"username": name, "password": password})


@pytest.mark.parametrize("page", [TOKEN, "/sign-in", "/admin/login/"])
def test_a_few_sign_ins_a_minute_are_possible_while_redis_hangs(
    operator: User, frozen_redis: None, page: str
) -> None:
    operator.set_password("correct horse")
    operator.save()
    began = time.monotonic()

    wrong = [sign_in(page, operator.username).status_code for _ in range(2)]
    right = sign_in(page, operator.username, password="correct horse")
    refused = sign_in(page, operator.username.upper(), password="correct horse")

    assert time.monotonic() - began < SOON_SECONDS
    assert wrong == ([401, 401] if page == TOKEN else [200, 200])
    assert right.status_code == (200 if page == TOKEN else 302)
    assert refused.status_code == 503
    assert 0 < int(refused["Retry-After"]) <= 60
    if page == TOKEN:
        assert refused.json()["code"] == "sign_in_closed"
    else:
        assert "The service&#x27;s cache does not respond" in refused.content.decode()
        assert f'value="{operator.username.upper()}"' in refused.content.decode()


def test_guesses_at_many_accounts_are_bounded_while_redis_hangs(
    alice: User, frozen_redis: None
) -> None:
    statuses = [sign_in(TOKEN, f"user{number}").status_code for number in range(12)]

    assert statuses == [401] * 10 + [503] * 2


def test_a_known_device_is_not_locked_out_by_guesses_while_redis_hangs(
    alice: User, settings: Any, request: pytest.FixtureRequest
) -> None:
    settings.RATES |= {"sign-in": ["account:5/60", "device:5/60"]}
    device = APIClient()
    right = {"username": "alice", "password": "correct horse"}
    assert device.post(TOKEN, right).status_code == 200
    rates = settings.RATES
    request.getfixturevalue("frozen_redis")
    settings.RATES = rates
    for _ in range(4):
        guess = sign_in(TOKEN)

    assert guess.status_code == 503
    assert device.post(TOKEN, right).status_code == 200


def test_attempts_in_memory_are_forgotten_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    window = AttemptWindow(most_each=1, most=2)

    assert [window.wait_seconds(name) for name in ("ann", "ann", "ben", "cid")] == [0, 60, 0, 60]
    clock[0] += 59
    assert window.wait_seconds("cid") == 1
    clock[0] += 1
    assert window.wait_seconds("cid") == 0


def test_one_request_a_second_waits_for_a_hanging_redis(
    client_of_alice: APIClient, frozen_redis: None
) -> None:
    client_of_alice.get(JOBS)

    with pytest.raises(rate_counting.RatesUnknown) as caught:
        rate_counting.count_in_rates("poll", {"owner": "alice"})

    assert caught.value.__cause__ is None  # Redis was not called


@pytest.mark.parametrize(
    ("broker", "cache"),
    [
        ("redis://h:6379/0", "redis://h:6379/1"),
        ("redis://:p%40ss@h:6379", "redis://:p%40ss@h:6379/1"),
        ("rediss://h:6379/4?ssl_cert_reqs=none", "rediss://h:6379/5?ssl_cert_reqs=none"),
        ("redis+socket:///run/redis.sock", "redis+socket:///run/redis.sock"),
    ],
)
def test_counts_are_in_the_next_database_by_default(broker: str, cache: str) -> None:
    assert next_database(broker) == cache
