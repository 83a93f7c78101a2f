"""Checks of Redis, Postgres and the file store, with real servers and a fake store."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any

import pytest
from django.core.checks import CheckMessage, Tags, run_checks
from django.core.management import CommandError
from django.db import connection

from jobs.engine.celery_app import celery_app
from jobs.lib import preflight
from tests.clamd import Clamd, cuts_in, pretender
from tests.test_checks import ids

pytestmark = pytest.mark.django_db


def use_store(settings: Any, url: str, **options: str) -> None:
    store = settings.STORAGES["default"]
    options = store["OPTIONS"] | {"endpoint_url": url} | options
    settings.STORAGES = settings.STORAGES | {"default": store | {"OPTIONS": options}}


def ask_servers() -> list[CheckMessage]:
    return run_checks(tags=[Tags.database], databases=["default"])


@pytest.fixture
def redis() -> Iterator[Any]:
    """A client of the broker's server."""
    with celery_app().connection_for_write() as connection:
        channel: Any = connection.default_channel
        yield channel.client


@pytest.fixture
def configured(redis: Any) -> Iterator[Callable[[str, str], None]]:
    """Return a function that changes the options of Redis for one test."""
    before: dict[str, str] = {}

    def change(name: str, value: str) -> None:
        before.update(redis.config_get(name))
        redis.config_set(name, value)

    yield change
    for name, value in before.items():
        redis.config_set(name, value)


def test_the_servers_of_make_run_are_suitable(bucket: Any, settings: Any) -> None:
    settings.PRODUCTION = True

    assert ask_servers() == []


def test_servers_are_checked_only_with_a_database(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery_app().conf, "broker_write_url", "redis://127.0.0.1:1/0")
    use_store(settings, "http://127.0.0.1:1")

    assert run_checks() == []


def test_a_redis_without_a_database_for_counts(bucket: Any, settings: Any) -> None:
    settings.CACHE_URL = settings.CACHE_URL.rpartition("/")[0] + "/16"  # as next to a broker's /15

    (found,) = ask_servers()

    assert found.id == "jobs.W020"
    assert "CACHE_URL" in found.msg


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_redis_that_evicts(
    bucket: Any, configured: Callable[[str, str], None], policy: str
) -> None:
    configured("maxmemory-policy", policy)

    found = ask_servers()

    assert ids(found) == ["jobs.W021"]
    assert policy in found[0].msg


def test_a_redis_that_evicts_and_forbids_config(
    bucket: Any,
    redis: Any,
    configured: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configured("maxmemory-policy", "allkeys-lru")
    rights = ["on", ">word", "~*", "&*", "+@all", "-config"]
    redis.execute_command("ACL", "SETUSER", "hosted", *rights)
    address = os.environ["REDIS_URL"].rpartition("@")[2]
    monkeypatch.setattr(celery_app().conf, "broker_write_url", f"redis://hosted:word@{address}")

    found = ask_servers()

    redis.execute_command("ACL", "DELUSER", "hosted")
    assert ids(found) == ["jobs.W021"]


def test_a_redis_without_persistence_is_reported_in_production(
    bucket: Any, configured: Callable[[str, str], None], settings: Any
) -> None:
    configured("appendonly", "no")

    in_development = ask_servers()
    settings.PRODUCTION = True

    assert in_development == []
    assert ids(ask_servers()) == ["jobs.W022"]


def test_a_postgres_with_too_few_connections(bucket: Any, settings: Any) -> None:
    settings.WEB_PROCESSES = 12  # 192 of 200
    enough = ask_servers()
    settings.WEB_PROCESSES = 13

    found = ask_servers()

    assert enough == []
    assert ids(found) == ["jobs.W023"]
    assert "allows 200 connections" in found[0].msg


def test_a_missing_bucket_is_no_error(settings: Any) -> None:
    use_store(settings, settings.S3_ENDPOINT_URL, bucket_name="nobody-made-this")

    assert ids(ask_servers()) == ["jobs.W024"]


@pytest.mark.parametrize(("age_days", "expected"), [(6, []), (8, ["jobs.W026"])])
def test_a_virus_scanner_with_old_signatures(
    bucket: Any, settings: Any, age_days: int, expected: list[str]
) -> None:
    made_at = datetime.now() - timedelta(days=age_days)
    version = f"ClamAV 1.4.3/27650/{made_at:%a %b %d %H:%M:%S %Y}\0"

    with pretender(cuts_in(version.encode())) as settings.CLAMD:
        found = ask_servers()

    assert ids(found) == expected


def test_a_virus_scanner_with_own_signatures_is_suitable(
    bucket: Any, settings: Any, clamd: Clamd
) -> None:
    settings.CLAMD = clamd.address

    assert ask_servers() == []


def test_an_unavailable_virus_scanner_is_reported(bucket: Any, settings: Any) -> None:
    settings.CLAMD = "tcp://127.0.0.1:1"

    (found,) = ask_servers()

    assert found.id == "jobs.W020"
    assert "The server that CLAMD names" in found.msg


def test_the_dispatcher_logs_unsuitable_servers(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    use_store(settings, settings.S3_ENDPOINT_URL, bucket_name="nobody-made-this")

    preflight.log_preflight_servers()

    assert "jobs.W024" in caplog.text
    settings.SILENCED_SYSTEM_CHECKS = ["jobs.W024"]
    caplog.clear()
    preflight.log_preflight_servers()
    assert caplog.text == ""


class Store(ThreadingHTTPServer):
    """A file store that has every bucket, and its own clock."""

    ahead_seconds: float
    status = 200

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class StoreRequest(BaseHTTPRequestHandler):
    server: Store

    def do_HEAD(self) -> None:
        self.send_response(self.server.status)
        self.end_headers()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() + self.server.ahead_seconds)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def store(settings: Any) -> Iterator[Store]:
    with Store(("127.0.0.1", 0), StoreRequest) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        use_store(settings, f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("ahead_seconds", "expected"),
    [
        (0, []),
        (-20, []),
        (45, ["jobs.W025"]),
        (-45, ["jobs.W025"]),
        (1000, ["jobs.E009"]),
        (-1000, ["jobs.E009"]),
    ],
)
def test_a_clock_that_differs_from_the_stores(
    store: Store, ahead_seconds: float, expected: list[str]
) -> None:
    store.ahead_seconds = ahead_seconds

    found = ask_servers()

    assert ids(found) == expected
    assert all(("behind" in each.msg) == (ahead_seconds > 0) for each in found)


def test_a_store_that_refuses_our_clock_is_reported_with_its_own(store: Store) -> None:
    store.ahead_seconds, store.status = 1000, 403

    assert ids(ask_servers()) == ["jobs.E009"]


def test_unavailable_servers_are_reported_without_passwords(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery_app().conf, "broker_write_url", "redis://:secret@127.0.0.1:1/0")
    use_store(settings, "http://127.0.0.1:1", secret_key="secret")

    found = ask_servers()

    assert ids(found) == ["jobs.W020", "jobs.W020"]
    assert [each.msg.split()[3] for each in found] == ["REDIS_URL", "S3_ENDPOINT_URL"]
    assert not any("secret" in str(each) for each in found)


def test_a_server_that_hangs_is_not_waited_for(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_store(settings, f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()

        found = ask_servers()

        assert time.monotonic() - began < 10  # it would wait for 80
    assert ids(found) == ["jobs.W020"]
    assert "no response within 3 s" in found[0].msg


def test_migrate_without_permission_for_the_extension_explains_it() -> None:
    migration = import_module("jobs.migrations.0005_find_files")
    with connection.cursor() as cursor:
        cursor.execute("DROP EXTENSION pg_trgm CASCADE")
        cursor.execute("CREATE ROLE somebody")
        cursor.execute("SET LOCAL ROLE somebody")

    told = pytest.raises(CommandError, match=r"permission denied.* CREATE EXTENSION pg_trgm")
    with told, connection.schema_editor() as editor:
        migration.Trigrams().database_forwards("jobs", editor, None, None)


def test_an_existing_extension_needs_no_permission() -> None:
    migration = import_module("jobs.migrations.0005_find_files")
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE somebody")
        cursor.execute("SET LOCAL ROLE somebody")

    with connection.schema_editor() as editor:
        migration.Trigrams().database_forwards("jobs", editor, None, None)
