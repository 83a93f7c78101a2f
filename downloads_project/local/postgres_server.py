"""One Postgres server: its folder, its process and the user that runs it."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg

from downloads_project.local.programs import postgres_programs
from downloads_project.processes import Process, StackError

CLONE_NEWUSER = 0x10000000
NOBODY = 65534


class PostgresServer:
    """A server in `folder`/postgres, which is created if it does not exist. Raises StackError."""

    def __init__(self, folder: Path, *, password: str, port: int, durable: bool) -> None:
        programs, self._become, self._password = postgres_programs(), _user(), password
        self._url = f"postgresql://postgres:{password}@127.0.0.1:{port}"
        data = folder / "postgres"
        if not (data / "PG_VERSION").exists():
            self._make_cluster(programs, data)
        options = ["listen_addresses=127.0.0.1", f"port={port}", "unix_socket_directories="]
        options += ["max_connections=200"]
        if not durable:
            options += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        self.process = Process(
            "Postgres",
            [programs / "postgres", "-D", data, *(w for o in options for w in ("-c", o))],
            folder / "postgres.log",
            {"TZ": "UTC", "LC_ALL": "C.UTF-8"},
            stop_signal=signal.SIGINT,
            orphan_signal=signal.SIGINT,
            become=self._become,
        )

    def ready(self) -> dict[str, str]:
        """Wait until it accepts connections, and create the database. Return its variables."""
        url = f"{self._url}/postgres"
        self.process.wait_until(lambda: psycopg.connect(url, connect_timeout=2).close())
        with psycopg.connect(url, autocommit=True) as connection:
            found = "SELECT 1 FROM pg_database WHERE datname = 'downloads'"
            if not connection.execute(found).fetchone():
                connection.execute("CREATE DATABASE downloads")
        return {"DATABASE_URL": f"{self._url}/downloads"}

    def _make_cluster(self, programs: Path, folder: Path) -> None:
        unfinished = folder.with_suffix(".new")  # renamed when whole: a half one is never used
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(0o700)
        if self._become is _be_nobody:
            os.chown(unfinished, NOBODY, NOBODY)
        command: list[str | Path] = [programs / "initdb", "-D", unfinished, "-U", "postgres"]
        command += ["-A", "scram-sha-256"]
        command += ["--pwfile=/dev/stdin", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        made = subprocess.run(
            command, input=self._password, capture_output=True, text=True, preexec_fn=self._become
        )
        if made.returncode:
            raise StackError(f"Postgres could not create its folder: {made.stderr.strip()[-300:]}")
        unfinished.rename(folder)


def _user() -> Callable[[], None] | None:
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
