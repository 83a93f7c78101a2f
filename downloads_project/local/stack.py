"""Real Postgres, Redis and S3 servers on this machine, from wheels, without Docker.

For development and tests: `make run` and tests/conftest.py start a Stack in a folder; the kernel
ends its servers with the process that started them. A server whose address is in the environment
(DATABASE_URL, REDIS_URL, S3_ENDPOINT_URL) is not started.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import socket
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import psycopg
import redis

from downloads_project.local import seaweedfs
from downloads_project.local.ports import free_ports, remove_port_sockets
from downloads_project.local.postgres_server import PostgresServer
from downloads_project.local.programs import redis_program, s3_program
from downloads_project.processes import Process, StackError

NEEDED_BYTES = 1_000_000_000
BUCKET = "downloads"
# One for each server, the seed of their ports, and the passwords of the demo's two users.
SECRETS = ["pg", "redis", "s3", "ports", "demo", "operator"]


class Stack:
    """The servers in one folder. `durable=False` trades safety from power loss for speed."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self.folder = folder.resolve()
        self.durable = durable
        self.processes: list[Process] = []
        self._lock: IO[str] | None = None
        self._ports: list[int] = []

    def start(self) -> dict[str, str]:
        """Start the missing servers and return the variables of all. Raises StackError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"Another stack is running in {self.folder}.") from None
        free = shutil.disk_usage(self.folder).free
        if free < NEEDED_BYTES:
            raise StackError(
                f"The disk is nearly full: {free // 10**6} MB are free in {self.folder},"
                f" {NEEDED_BYTES // 10**6} MB are needed."
            )
        self.secrets = self._load_secrets()
        # The same ports each time, if they are free, so that addresses survive a restart.
        ports = self._take(free_ports(self.secrets["ports"]))
        starters = {
            "DATABASE_URL": self._postgres,
            "REDIS_URL": self._redis,
            "S3_ENDPOINT_URL": self._s3,
        }
        for name in starters:
            if url := os.environ.get(name):
                check_stack_server(name, url)
        missing = [start for name, start in starters.items() if not os.environ.get(name)]
        finish = [start(ports) for start in missing]  # all start at once, then each gets ready
        env: dict[str, str] = {}
        for ready in finish:
            env |= ready()
        return env

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.ask_to_stop()
        for process in reversed(self.processes):
            process.end(10)
        self.processes.clear()
        for port in self._ports:
            remove_port_sockets(port)
        if self._lock:
            self._lock.close()

    def _take(self, ports: Iterator[int]) -> Iterator[int]:
        for port in ports:
            self._ports.append(port)
            yield port

    def _load_secrets(self) -> dict[str, str]:
        path = self.folder / "secrets.json"
        if not path.exists():
            new = {name: secrets.token_urlsafe(12) for name in SECRETS}
            write_stack_secret(path, json.dumps(new))
        return dict(json.loads(path.read_text()))

    def _spawn(self, process: Process) -> Process:
        process.start()
        self.processes.append(process)
        return process

    def _postgres(self, ports: Iterator[int]) -> Callable[[], dict[str, str]]:
        server = PostgresServer(
            self.folder, password=self.secrets["pg"], port=next(ports), durable=self.durable
        )
        self._spawn(server.process)
        return server.ready

    def _redis(self, ports: Iterator[int]) -> Callable[[], dict[str, str]]:
        port, folder = next(ports), self.folder / "redis"
        folder.mkdir(exist_ok=True)
        url = f"redis://:{self.secrets['redis']}@127.0.0.1:{port}"
        command = [redis_program(), "--bind", "127.0.0.1", "--port", str(port), "--dir", folder]
        command += ["--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"]
        command += ["--requirepass", self.secrets["redis"]]
        server = self._spawn(Process("Redis", command, self.folder / "redis.log"))

        def ready() -> dict[str, str]:
            server.wait_until(lambda: redis.Redis.from_url(url).ping())
            return {"REDIS_URL": f"{url}/0"}

        return ready

    def _s3(self, ports: Iterator[int]) -> Callable[[], dict[str, str]]:
        folder = self.folder / "s3"
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        (folder / "mini.options").unlink(missing_ok=True)  # the last run's ports
        keys = {"accessKey": "downloads", "secretKey": self.secrets["s3"]}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identity = {"name": "downloads", "credentials": [keys], "actions": actions}
        config = self.folder / "s3.json"
        write_stack_secret(config, json.dumps({"identities": [identity]}))
        seaweedfs.write_seaweedfs_security(folder)
        port = next(ports)
        command = [
            s3_program(),
            "-logtostderr=true",
            "mini",
            f"-dir={folder}",
            f"-s3.config={config}",
        ]
        command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={port}"]
        command += ["-master.telemetry=false", "-webdav=false", "-admin.ui=false", "-s3.iam=false"]
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false"]
        command += [
            "-volume.max=64",
            "-master.volumeSizeLimitMB=256",
            f"-s3.port.grpc={next(ports)}",
        ]
        command += seaweedfs.OPTIONS
        for part in ("master", "volume", "filer", "admin"):
            command += [f"-{part}.port={next(ports)}", f"-{part}.port.grpc={next(ports)}"]
        env = {"GOMEMLIMIT": "400MiB", "HOME": str(folder), "TMPDIR": str(folder / "tmp")}
        server = self._spawn(Process("S3", command, self.folder / "s3.log", env))
        url = f"http://127.0.0.1:{port}"

        def ready() -> dict[str, str]:
            server.wait_until(lambda: urllib.request.urlopen(f"{url}/healthz", timeout=1).close())
            return {
                "S3_ENDPOINT_URL": url,
                "S3_ACCESS_KEY_ID": "downloads",
                "S3_SECRET_ACCESS_KEY": self.secrets["s3"],
                "S3_BUCKET": BUCKET,
            }

        return ready


def write_stack_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.touch(0o600)
    path.write_text(text)


def check_stack_server(variable: str, url: str) -> None:
    """Raise StackError, without the password, if a server of the environment is unreachable."""
    probes: dict[str, Callable[[], object]] = {
        "DATABASE_URL": lambda: psycopg.connect(url, connect_timeout=3).close(),
        "REDIS_URL": lambda: redis.Redis.from_url(url, socket_connect_timeout=3).ping(),
        "S3_ENDPOINT_URL": lambda: socket.create_connection(address, 3).close(),
    }
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    try:
        probes[variable]()
    except (OSError, psycopg.Error, redis.RedisError) as error:
        reason = str(error).strip().splitlines()[0]
        raise StackError(
            f"The server that {variable} names, {parts.hostname}, does not respond: {reason}"
        ) from error
