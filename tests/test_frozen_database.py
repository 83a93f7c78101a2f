"""Queries to a database that does not respond."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from psycopg_pool import ConnectionPool

from jobs.lib.postgres.base import DatabaseWrapper
from jobs.lib.postgres.connection import PostgresConnection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def short_timeouts(settings: Any) -> Iterator[None]:
    settings.DATABASE_WAIT_SECONDS = 0.2
    yield
    connection.close()


def test_a_query_without_a_response_ends_and_the_next_one_works(short_timeouts: None) -> None:
    with connection.cursor() as cursor, pytest.raises(OperationalError):
        cursor.execute("SELECT pg_sleep(2)")  # silent, as a frozen server is

    connection.close_if_unusable_or_obsolete()
    with connection.cursor() as cursor:
        assert cursor.execute("SELECT 1").fetchone() == (1,)


def test_a_late_response_is_not_taken_for_another(short_timeouts: None) -> None:
    with connection.cursor() as cursor:
        with pytest.raises(OperationalError):
            cursor.execute("SELECT 'late' FROM pg_sleep(0.4)")
        time.sleep(0.5)  # now the response is in the socket

        with pytest.raises(OperationalError):
            cursor.execute("SELECT 'next'")


def test_a_recently_used_connection_is_not_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrapper = DatabaseWrapper(connection.settings_dict, "default")
    asked: list[object] = []
    check = PostgresConnection.check
    monkeypatch.setattr(PostgresConnection, "check", lambda c: asked.append(c) or check(c))
    try:
        wrapper.ensure_connection()
        assert wrapper.is_usable()
        assert wrapper.is_usable()
        assert len(asked) == 1

        with connection.cursor() as cursor:
            pid = wrapper.connection.info.backend_pid
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

        assert not wrapper.is_usable()
    finally:
        wrapper.close()


def test_pooled_connections_have_timeouts_too(settings: Any) -> None:
    settings.DATABASE_WAIT_SECONDS = 0.2
    params = connection.get_connection_params()
    for ours in ("cursor_factory", "context", "prepare_threshold"):
        params.pop(ours, None)
    with (
        ConnectionPool(kwargs=params, connection_class=PostgresConnection, max_size=4) as pool,
        ThreadPoolExecutor(4) as threads,
    ):

        def ask(_: int) -> bool:
            with pytest.raises(psycopg.OperationalError) as caught, pool.connection() as one:
                one.execute("SELECT pg_sleep(2)")
            return one.closed and "time" in str(caught.value).lower()

        assert all(threads.map(ask, range(4)))


def test_many_dead_connections_cost_one_check() -> None:
    options = connection.settings_dict["OPTIONS"] | {"pool": {"max_size": 6, "timeout": 2}}
    options["pool"]["connection_class"] = PostgresConnection
    wrapper = DatabaseWrapper(connection.settings_dict | {"OPTIONS": options}, "pooled")
    try:
        params = wrapper.get_connection_params()
        several = [wrapper.get_new_connection(params) for _ in range(6)]
        for one in several:
            wrapper.pool.putconn(one)
        with connection.cursor() as cursor:
            pids = [one.info.backend_pid for one in several]
            cursor.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", [pids])

        found = wrapper.get_new_connection(params)  # the pool itself would take 1 + 2 + ... s

        assert found.execute("SELECT 1").fetchone() == (1,)
        wrapper.pool.putconn(found)
    finally:
        wrapper.close_pool()
