"""Fixtures shared by all tests. Each returns the simplest valid object.

The tests run against real servers: each process that runs tests starts a temporary stack here,
before Django reads its settings. A test may freeze, kill and restart them.
"""

from __future__ import annotations

import gc
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock, patch

import pytest

from downloads_project.local.stack import Stack
from tests import throwaway

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.test import APIClient

    from jobs.models import DownloadJob, StoredFile
    from tests.clamd import Clamd
    from tests.live import Live

running: list[Stack] = []

# Folders and modules whose tests start processes, open a browser, or wait for seconds.
# `make test` skips them, and single tests marked `slow`; `make test-all` runs all.
SLOW = {
    "browser",
    "faults",
    "test_backup.py",
    "test_bench.py",
    "test_checks.py",
    "test_docs.py",
    "test_download_command.py",
    "test_environment.py",
    "test_error_reports.py",
    "test_fetch_a_link.py",
    "test_frozen_database.py",
    "test_fuzz.py",
    "test_hostile_files.py",
    "test_hostile_uploads.py",
    "test_killed_fetch.py",
    "test_large_forms.py",
    "test_link_in_parallel.py",
    "test_link_queue.py",
    "test_live_service.py",
    "test_live_traces.py",
    "test_log_lines.py",
    "test_own_project.py",
    "test_page_weight.py",
    "test_pages_stay_fast.py",
    "test_run.py",
    "test_shares.py",
    "test_slow_clients.py",
    "test_small_jobs.py",
    "test_streaming_replica.py",
    "test_time_limits.py",
    "test_uploads_survive.py",
    "test_web_server.py",
}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("numprocesses", None):
        return  # this process only distributes the tests
    stack = Stack(Path(tempfile.mkdtemp(prefix="downloads-tests-")), durable=False)
    running.append(stack)
    throwaway.start(stack)
    from django.conf import settings

    assert settings.ROLE == "command"  # loads the settings for pytest-django
    settings.INSTALLED_APPS.append("orders")  # of examples/, as APPS=orders does


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if SLOW & set(item.path.relative_to(here).parts):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    gc.freeze()  # thousands of test objects live on; the garbage collector need not scan them


def pytest_sessionfinish() -> None:
    for stack in running:
        stack.stop()
        shutil.rmtree(stack.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stack() -> Stack:
    """Return the servers of this process."""
    return running[0]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Close all other connections to the database before it is dropped.

    Playwright runs an event loop in this thread, so that Django opens another connection and does
    not close the first.
    """
    from django.db import connection
    from django.test import TransactionTestCase

    from tests.flush import flush

    with patch.object(TransactionTestCase, "_fixture_teardown", flush):
        yield

    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture(scope="session", autouse=True)
def static_files_listed_once() -> Iterator[None]:
    """Keep WhiteNoise from listing hundreds of static files anew for each test's client."""
    from whitenoise.middleware import WhiteNoiseMiddleware

    listed: dict[tuple[str, int | None], dict[str, Any]] = {}
    list_files = WhiteNoiseMiddleware.add_files_from_finders

    def add_files(self: WhiteNoiseMiddleware) -> None:
        key = (self.static_prefix, self.max_age)
        if key not in listed:
            list_files(self)
            listed[key] = self.files
        self.files = listed[key]

    with patch.object(WhiteNoiseMiddleware, "add_files_from_finders", add_files):
        yield


@pytest.fixture(scope="session", autouse=True)
def wait_longer_for_redis() -> Iterator[None]:
    """Wait longer for Redis, which replies late on a busy machine.

    Otherwise sign-ins would fail and requests would not be counted.
    """
    from jobs.web import rate_counting

    with patch.multiple(rate_counting, OPEN_SECONDS=5, CLOSED_SECONDS=5):
        yield


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def clear_measurements() -> None:
    """Clear the length of the queue, the speed of the kinds, and a pause of the rate counting."""
    from jobs.engine import kind_speeds, queue_snapshot, quota
    from jobs.web import rate_counting

    quota.depth.forget()
    kind_speeds._known.clear()
    queue_snapshot.CACHE.forget()
    rate_counting._rest.until = 0.0


@pytest.fixture
def constant_estimates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the queue and the speed of a kind from being measured again a few seconds later."""
    from jobs.engine import kind_speeds, queue_snapshot

    monkeypatch.setattr(queue_snapshot, "KEPT_SECONDS", sys.maxsize)
    monkeypatch.setattr(kind_speeds, "GUESS_KEPT_SECONDS", sys.maxsize)


@pytest.fixture
def constant_etag(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep ETags from changing with the clock, as they do every few minutes."""
    monkeypatch.setattr("jobs.web.poll_responses.ETAG_SECONDS", sys.maxsize)


@pytest.fixture(scope="session")
def made_bucket() -> None:
    from jobs import storage

    storage.make_bucket()


@pytest.fixture
def bucket(made_bucket: None) -> Any:
    """Return the real bucket. Not cached for the session: a test may change its settings."""
    from jobs import storage

    return storage.bucket()


@pytest.fixture
def delete_uploads(made_bucket: None) -> Iterator[None]:
    """Delete uploaded objects after the test."""
    from jobs import storage

    yield
    storage.delete_all_objects_but([], prefix="raw/")


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Start a web process, for requests that do not reach Django. Not on the database of tests."""
    from tests.live import Live

    live = Live(tmp_path_factory.mktemp("web"), {})
    try:
        live.start("web")
        yield live
    finally:
        live.stop()


@pytest.fixture(scope="session")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clamd]:
    """Start a virus scanner. Tests that freeze or kill one start another."""
    from tests.clamd import Clamd

    server = Clamd(tmp_path_factory.mktemp("clamd"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def broker() -> Iterator[Mock]:
    """Replace sending to the broker with a mock."""
    with patch("jobs.engine.doorbell.send_doorbells") as send:
        yield send


@pytest.fixture
def alice(db: None) -> User:
    from tests.factories import UserFactory

    return UserFactory(username="alice")


@pytest.fixture
def bob(db: None) -> User:
    from tests.factories import UserFactory

    return UserFactory(username="bob")


@pytest.fixture
def operator(db: None) -> User:
    from tests.factories import UserFactory

    return UserFactory(username="olga", is_staff=True, is_superuser=True)


@pytest.fixture
def client_of_alice(alice: User) -> APIClient:
    from rest_framework.test import APIClient

    client = APIClient()
    client.force_authenticate(alice)
    return client


@pytest.fixture
def client_of_operator(operator: User) -> APIClient:
    from rest_framework.test import APIClient

    client = APIClient()
    client.force_authenticate(operator)
    return client


@pytest.fixture
def queued_job(alice: User) -> DownloadJob:
    from tests.factories import JobFactory

    return JobFactory(owner=alice)


@pytest.fixture
def running_job(queued_job: DownloadJob) -> DownloadJob:
    queued_job.claim(task_id="task-1", worker="worker@test")
    return queued_job


@pytest.fixture
def stored_files(bucket: Any, db: None) -> list[StoredFile]:
    """Store three files of the public catalogue, with objects in the bucket."""
    from tests.factories import store

    return [
        store(70000, "report.pdf", b"%PDF-1.4 " + b"a" * 2_000_000),
        store(70001, "empty.txt", b""),
        store(70002, "photo.jpg", b"\xff\xd8" + bytes(300_000)),
    ]


@pytest.fixture
def job(alice: User, stored_files: list[StoredFile]) -> DownloadJob:
    """Return a queued zip of the three stored files. Modules may override it."""
    from tests.factories import JobFactory

    ids = [file.file_id for file in stored_files]
    return JobFactory(owner=alice, params={"file_ids": ids}, total=2_300_011, name="3 files.zip")


@pytest.fixture
def add_kinds(settings: Any) -> Iterator[Callable[..., None]]:
    """Return a function that adds kinds to the setting KINDS, by their dotted paths."""
    from tests.kinds import reload_kinds

    before = settings.KINDS

    def add(*paths: str) -> None:
        settings.KINDS = [*settings.KINDS, *paths]
        reload_kinds()

    yield add

    settings.KINDS = before
    reload_kinds()


@pytest.fixture
def build_with(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that replaces the builder of bundles, and other fields of their kind."""
    from jobs.kinds.registry import KINDS

    def put(build: Callable[..., None], **changes: Any) -> None:
        for name, value in {"build": build, **changes}.items():
            monkeypatch.setattr(KINDS["bundle"], name, value)

    return put
