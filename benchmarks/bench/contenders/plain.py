"""Plain Django under gunicorn, and plain Celery with results, on a separate database."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import psycopg
from celery import Celery

from benchmarks.bench.contenders import processes
from benchmarks.bench.load import Request
from downloads_project.local.ports import free_ports
from downloads_project.local.stack import Stack
from downloads_project.processes import Process
from tests.live import BIN, ROOT, until

DATABASE, BROKER = "plain", 15
THREADS = 8  # of each of two processes; more would only wait for the interpreter lock


class Plain:
    """Django and Celery. Each is started on first use."""

    def __init__(self, folder: Path, stack: Stack) -> None:
        self._folder = folder
        self.database_url = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{DATABASE}"
        self.broker_url = os.environ["REDIS_URL"].rpartition("/")[0] + f"/{BROKER}"
        self._env = {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.broker_url,
            "DJANGO_SETTINGS_MODULE": "benchmarks.plain.settings",
            "PYTHONPATH": str(ROOT),
        }
        self._servers = {server.name: server.popen.pid for server in stack.processes}
        self._celery = Celery(broker=self.broker_url, set_as_current=False)
        self.started: dict[str, Process] = {}

    def start(self) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        command = [sys.executable, "-m", "django", "migrate", "--verbosity=0"]
        subprocess.run(command, env=os.environ | self._env, check=True)  # noqa: S603

    def stop(self) -> None:
        processes.stop(self.started.values())

    def django(self) -> Request:
        port = next(free_ports(f"{self._folder}/plain"))
        command: list[str | Path] = [
            BIN / "gunicorn",
            "benchmarks.plain.web",
            "--bind",
            f"127.0.0.1:{port}",
        ]
        command += ["--worker-class", "gthread", "--workers", "2", "--threads", str(THREADS)]
        web = self._start("django", [*command, "--keep-alive", "75", "--no-control-socket"])
        url = f"http://127.0.0.1:{port}/v1/download/status/user"
        web.wait_until(lambda: urllib.request.urlopen(url).close())
        return Request(url, ["no-token"])

    def worker(self) -> None:
        options = "--concurrency=2 --without-mingle --without-gossip --loglevel=INFO"
        command: list[str | Path] = [BIN / "celery", "-A", "benchmarks.plain.work", "worker"]
        log = self._start("celery", [*command, *options.split()]).log
        until(lambda: " ready." in log.read_text(errors="replace"), 60, partial(log.read_text))

    def roots(self, name: str, *servers: str) -> dict[str, list[int]]:
        found = {name: [self.started[name].popen.pid]}
        return found | {server: [self._servers[server.capitalize()]] for server in servers}

    def send(self, count: int) -> None:
        with self._celery.connection_for_write() as connection:
            for number in range(count):
                self._celery.send_task("benchmarks.nothing", [number], connection=connection)

    def done(self) -> int:
        sql = "SELECT count(*) FROM django_celery_results_taskresult"
        row = self._connection.execute(sql).fetchone()
        return int(row[0]) if row else 0

    @cached_property
    def _connection(self) -> psycopg.Connection[Any]:
        """A persistent connection: a new one costs Postgres more than a task."""
        return psycopg.connect(self.database_url, autocommit=True)

    def _start(self, name: str, command: list[str | Path]) -> Process:
        process = Process(name, command, self._folder / f"plain-{name}.log", self._env)
        process.start()
        self.started[name] = process
        return process
