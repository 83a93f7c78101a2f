"""Limits for searches by name: rate, concurrency and time, so that other lists stay fast."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from jobs.web import searching
from tests.factories import JobFactory

LISTS = [
    "/v1/download/jobs?search=",
    "/downloads?format=json&search=",
    "/downloads?search=",
    "/?search=",
    "/admin/jobs/downloadjob/?q=",
    "/admin/jobs/storedfile/?q=",
    "/admin/jobs/incomingupload/?q=",
    "/admin/jobs/notification/?q=",
]


@pytest.fixture(autouse=True)
def clear_counts(settings: Any) -> Iterator[None]:
    counter = redis.Redis.from_url(settings.CACHE_URL)
    counter.flushdb()
    yield
    counter.flushdb()


@pytest.fixture
def visitor(client: Client, operator: User) -> Client:
    """A client of a user who sees every list."""
    client.force_login(operator)
    return client


@pytest.mark.parametrize("path", LISTS)
def test_searches_have_a_rate_of_their_own(visitor: Client, settings: Any, path: str) -> None:
    settings.RATES = settings.RATES | {"search": ["owner:2/60"]}

    statuses = [visitor.get(f"{path}xyz").status_code for _ in range(3)]

    assert statuses == [200, 200, 429]
    assert 0 < int(visitor.get(f"{path}xyz")["Retry-After"]) <= 60
    assert visitor.get(path).status_code == 200  # has no search text


@pytest.mark.parametrize("path", LISTS)
def test_an_owner_searches_one_thing_at_a_time(
    visitor: Client, operator: User, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(searching, "WAIT_SECONDS", 0.05)

    with searching._slots.acquire(operator.pk):
        refused = visitor.get(f"{path}xyz", headers={"Accept": "application/json"})
        others = visitor.get(path)

    assert (refused.status_code, refused["Retry-After"]) == (429, "2")
    assert others.status_code == 200
    assert visitor.get(f"{path}xyz").status_code == 200  # the slot was released


def test_concurrent_searches_are_limited(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "WAIT_SECONDS", 0.05)

    with searching._slots.acquire(-1), searching._slots.acquire(-2):
        refused = client_of_alice.get("/v1/download/jobs?search=xyz")

    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused["Retry-After"] == "2"


def test_a_search_waits_for_the_owners_previous_one(
    client_of_alice: APIClient, alice: User
) -> None:
    JobFactory(owner=alice, name="xyz.zip")
    taken = threading.Event()
    before = threading.Thread(target=hold_a_slot, args=(alice.pk, taken))
    before.start()
    taken.wait()

    answer = client_of_alice.get("/v1/download/jobs?search=xyz")

    before.join()
    assert [job["fileName"] for job in answer.json()["results"]] == ["xyz.zip"]


def hold_a_slot(owner_id: int, taken: threading.Event) -> None:
    with searching._slots.acquire(owner_id):
        taken.set()
        time.sleep(0.3)


def test_too_many_waiting_searches_are_refused(
    client_of_alice: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MAX_WAITING", 0)
    monkeypatch.setattr(searching, "WAIT_SECONDS", 30)

    with searching._slots.acquire(alice.pk):
        began = time.monotonic()
        refused = client_of_alice.get("/v1/download/jobs?search=xyz")

    assert refused.status_code == 429
    assert time.monotonic() - began < 15


def test_a_failed_search_releases_its_slot(alice: User) -> None:
    for _ in range(searching.MAX_CONCURRENT + 1):
        with pytest.raises(RuntimeError), searching._slots.acquire(alice.pk):
            raise RuntimeError

    assert searching._slots._searches.total() == 0


@pytest.mark.django_db(transaction=True)
def test_postgres_ends_a_search_that_takes_too_long(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "STATEMENT_SECONDS", 1)
    request = RequestFactory().get("/")
    request.user = alice

    with (
        pytest.raises(OperationalError),
        searching.searching(request, "xyz"),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_sleep(10)")

    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)  # unchanged for this process
