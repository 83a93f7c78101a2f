"""The contenders, started on first use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection

from benchmarks.bench import tools
from benchmarks.bench.contenders import processes
from benchmarks.bench.contenders.peer import Peer
from benchmarks.bench.contenders.plain import Plain
from benchmarks.bench.contenders.service import SMALL, Service, token_of
from benchmarks.bench.figures import NotMeasured
from benchmarks.bench.sizes import Sizes
from downloads_project.local.stack import Stack
from tests.factories import UserFactory, store

TEMPLATE = "template_of_benchmarks"  # with users and files, without jobs
SMALL_BYTES = 20_000


class Rig:
    def __init__(self, folder: Path, stack: Stack, sizes: Sizes) -> None:
        self.folder, self._stack, self.sizes = folder, stack, sizes
        self._started: list[Any] = []
        users = [UserFactory(username=f"owner-{n}") for n in range(sizes.owners)]
        self.tokens = [token_of(user) for user in users]
        store(SMALL, "report.pdf", b"%PDF-1.4 " + os.urandom(SMALL_BYTES))
        self._database = str(connection.settings_dict["NAME"])
        connection.close()
        self._admin(f"CREATE DATABASE {TEMPLATE} TEMPLATE {self._database}")

    @cached_property
    def service(self) -> Service:
        """The service with all its processes running."""
        service = self._service(self._database, broker=1)
        service.start("web", "worker", "dispatcher")
        service.finished_job()  # loads what is loaded lazily
        return service

    def service_on(self, database: str, *, broker: int) -> Service:
        """Return another service on a new database, not started. It is stopped with the rig."""
        self._admin(f"CREATE DATABASE {database} TEMPLATE {TEMPLATE}")
        return self._service(database, broker)

    def _service(self, database: str, broker: int) -> Service:
        service = Service(self.folder / database, self._stack, database, broker)
        service.tokens = self.tokens
        self._started.append(service)
        return service

    @cached_property
    def has_peer(self) -> bool:
        try:
            tools.node()
        except NotMeasured as reason:
            print(f"The peer is skipped: {reason}.\n", flush=True)
            return False
        return True

    @cached_property
    def peer(self) -> Peer:
        """The Node peer. Raises NotMeasured without Node."""
        peer = Peer(self.folder, self.tokens)
        self._started.append(peer)
        peer.start()
        return peer

    @cached_property
    def plain(self) -> Plain:
        plain = Plain(self.folder, self._stack)
        self._started.append(plain)
        plain.start()
        return plain

    @contextmanager
    def quiet(self, *, except_for: Service | None = None) -> Iterator[None]:
        """Suspend all workers and dispatchers, except those of one service."""
        with ExitStack() as stack:
            for other in self._started:
                if isinstance(other, Service) and other is not except_for:
                    stack.enter_context(other.paused())
                elif isinstance(other, Peer):
                    stack.enter_context(processes.suspended([other.worker]))
            yield

    def stop(self) -> None:
        for contender in reversed(self._started):
            contender.stop()

    def _admin(self, sql: str) -> None:
        url = os.environ["DATABASE_URL"].rpartition("/")[0] + "/postgres"
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(sql)
