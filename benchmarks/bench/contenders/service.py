"""This service: its HTTP API, its processes and its rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import redis
import requests
from django.contrib.auth.models import User
from rest_framework_simplejwt.tokens import AccessToken

from benchmarks.bench.contenders import processes
from benchmarks.bench.load import Request
from downloads_project.local.stack import Stack
from downloads_project.processes import Process
from tests.live import CLOCKS, Live, until

SMALL = 70000  # the id of a file of 20 kB
BODY = f'{{"file_ids":[{SMALL}]}}'
TOKEN_LIFETIME = timedelta(hours=6)  # longer than a full run
# Rate limits are counted as in production, but never reached.
UNREACHED = "owner:900000000/60,address:900000000/60"
SETTINGS = {
    "DEBUG": "false",
    **{f"RATE_{name}": UNREACHED for name in ("INITIATE", "POLL", "UPLOAD")},
    "MAX_ACTIVE_JOBS": "2000000",
    "MAX_QUEUED_JOBS": "2000000",
    "WORKER_STOPS_SECONDS": "2",
}


class Service:
    """A service on a separate database.

    `broker` is the number of its Redis database; the next one counts rates.
    """

    name = "service"

    def __init__(self, folder: Path, stack: Stack, database: str, broker: int) -> None:
        self.database_url = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{database}"
        self.broker_url = os.environ["REDIS_URL"].rpartition("/")[0] + f"/{broker}"
        urls = {"DATABASE_URL": self.database_url, "REDIS_URL": self.broker_url}
        self._servers = {server.name: server for server in stack.processes}
        folder.mkdir()
        self.live = Live(folder, SETTINGS | urls)
        for clock in CLOCKS.keys() - SETTINGS.keys():
            del self.live.env[clock]  # those of tests are short; use those of production
        self.parts: dict[str, Process] = {}
        self.tokens: list[str] = []

    def start(self, *names: str, **env: str) -> None:
        """Start processes (`web`, `worker`, `dispatcher`) and wait until they are ready."""
        for name in names:
            self.parts[name] = self.live.start(name, **env)
        if "worker" in names:
            log = self.parts["worker"].log
            until(lambda: " ready." in log.read_text(errors="replace"), 60, self.live.logs)

    def stop(self) -> None:
        if "_connection" in vars(self):
            self._connection.close()
        self.live.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.parts['web'].env['PORT']}"

    def roots(self, *names: str) -> dict[str, list[int]]:
        """Return process IDs by group, also of the servers: postgres, redis."""
        known = self.parts | {name.lower(): server for name, server in self._servers.items()}
        return {name: [known[name].popen.pid] for name in names}

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Suspend its worker and its dispatcher.

        Not the web processes: they are idle without requests, and gunicorn kills children that send
        no heartbeat for a minute.
        """
        with processes.suspended(part for name, part in self.parts.items() if name != "web"):
            yield

    # Requests

    def poll(self, job_id: str, etag: str = "") -> Request:
        return Request(f"{self.url}/v1/download/status/{job_id}", self.tokens[:1], etag=etag)

    def start_request(self, owners: int) -> Request:
        url = f"{self.url}/v1/download/initiate"
        return Request(url, self.tokens[:owners], method="POST", body=BODY)

    def initiate(self, token: str = "") -> str:
        headers = self.headers(token) | {"Content-Type": "application/json"}
        url = f"{self.url}/v1/download/initiate"
        response = requests.post(url, data=BODY, headers=headers, timeout=60)
        assert response.status_code == 202, response.text
        return str(response.json()["jobId"])

    def status(self, job_id: str) -> requests.Response:
        url = f"{self.url}/v1/download/status/{job_id}"
        return requests.get(url, headers=self.headers(), timeout=30)

    def etag(self, job_id: str) -> str:
        """Return the ETag of the status, valid for up to five minutes."""
        return self.status(job_id).headers["ETag"]

    def headers(self, token: str = "") -> dict[str, str]:
        return {"Authorization": f"Bearer {token or self.tokens[0]}"}

    def finished_job(self) -> str:
        job_id = self.initiate()
        until(lambda: self.status(job_id).json()["status"] == "completed", 60, self.live.logs)
        return job_id

    # Rows

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(sql, values or None)  # without values: several statements
            return cursor.fetchall() if cursor.description else []

    def count(self, where: str) -> int:
        return int(self.query(f"SELECT count(*) FROM jobs_downloadjob WHERE {where}")[0][0])  # noqa: S608

    def is_idle(self) -> bool:
        """Return True if no job is queued or running. Cheap with any number of rows."""
        row = self._connection.execute(f"SELECT EXISTS ({ACTIVE})").fetchone()
        return row is not None and not row[0]

    @cached_property
    def _connection(self) -> psycopg.Connection[Any]:
        """A persistent connection: a new one costs Postgres as much as a small job."""
        return psycopg.connect(self.database_url, autocommit=True)

    def drop_queued(self) -> None:
        """Delete queued jobs and their messages, so that the next round starts without any."""
        queued = "SELECT id FROM jobs_downloadjob WHERE status = 'queued'"
        for table, column in self.query(REFERENCES):
            self.query(f"{UNCHECKED} DELETE FROM {table} WHERE {column} IN ({queued})")  # noqa: S608
        self.query(f"{UNCHECKED} DELETE FROM jobs_downloadjob WHERE status = 'queued'")  # noqa: S608
        self.query("VACUUM ANALYZE jobs_downloadjob, jobs_jobevent")
        with redis.Redis.from_url(self.broker_url) as broker:
            waiting = [key for key in broker.scan_iter() if broker.type(key) == b"list"]
            if waiting:
                broker.delete(*waiting)


ACTIVE = "SELECT FROM jobs_downloadjob WHERE status IN ('queued', 'processing')"
# Disables foreign keys for the session, in a temporary database.
UNCHECKED = "SET session_replication_role = replica;"
# The tables that refer to jobs, whatever they are.
REFERENCES = """
SELECT c.conrelid::regclass::text, a.attname FROM pg_constraint c
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.contype = 'f' AND c.confrelid = 'jobs_downloadjob'::regclass
"""


def token_of(user: User) -> str:
    token = AccessToken.for_user(user)
    token.set_exp(lifetime=TOKEN_LIFETIME)
    return str(token)
