"""Run the real processes (gunicorn, Celery workers, dispatcher) for tests that break them."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests
from django.contrib.auth.models import User
from django.db import connection
from rest_framework_simplejwt.tokens import AccessToken

from downloads_project.local.ports import free_ports
from downloads_project.processes import Process

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parent.parent

# Short intervals, so that a lease expires during a test.
CLOCKS = {
    "LEASE_SECONDS": "4",
    "BEAT_SECONDS": "0.5",
    "DISPATCH_EVERY_SECONDS": "0.5",
    "RING_AGAIN_SECONDS": "2",
    "WORKER_STOPS_SECONDS": "2",
}
# Settings without an environment variable. tests/settings.py reads them in tests.
CONSTANTS = {
    "BEAT_SECONDS",
    "COLLECT_AGAIN_SECONDS",
    "COLLECT_EVERY_SECONDS",
    "DISPATCH_EVERY_SECONDS",
    "EMAIL_TIMEOUT",
    "JOB_MIN_SPEED",
    "KILL_AFTER_SECONDS",
    "NOTIFY_DELAYS_SECONDS",
    "RING_AGAIN_SECONDS",
    "START_WAITS_SECONDS",
    "UPLOAD_IDLE_SECONDS",
}


def with_constants(env: dict[str, str]) -> dict[str, str]:
    """Return the environment of a process whose CONSTANTS have their values from `env`."""
    constants = {name: json.loads(env[name]) for name in CONSTANTS & env.keys()}
    own = {"DJANGO_SETTINGS_MODULE": "tests.settings"}  # unless a test overrides it
    return own | env | {"CONSTANTS": json.dumps(constants)}


class Live:
    """A running service. `env` is added to the environment of every process.

    `become` is called in each process before its program starts.
    """

    def __init__(
        self, folder: Path, env: dict[str, str], become: Callable[[], None] | None = None
    ) -> None:
        self.folder = folder
        self.become = become
        self._ports = free_ports(str(folder))
        self.url = ""  # the URL of the web process that was started last
        self.env = CLOCKS | env | {"REMAP_SIGTERM": "SIGQUIT"}
        self.session = requests.Session()
        self.processes: list[Process] = []

    def start(self, name: str, *options: str, **env: str) -> Process:
        """Start another `web`, `worker` or `dispatcher`, with command-line `options`."""
        worker = "-A downloads_project worker --concurrency=2 --without-mingle --without-gossip"
        command = {
            "web": [BIN / "gunicorn", "-c", "python:downloads_project.gunicorn"],
            "worker": [BIN / "celery", *worker.split(), f"--hostname=w{len(self.processes)}@test"],
            "dispatcher": [sys.executable, ROOT / "manage.py", "dispatcher"],
        }[name]
        number, port = len(self.processes), next(self._ports)
        log = self.folder / f"{name}-{number}.log"
        command = [*command, *options]
        env = self.env | {"ROLE": name, "PORT": str(port)} | env
        process = Process(name, command, log, with_constants(env), become=self.become)
        self.processes.append(process)
        self.start_again(process)
        return process

    def start_again(self, process: Process) -> None:
        """Start it again on the same port. Waits until a web process responds."""
        process.start()
        if process.name == "web":
            url = f"http://127.0.0.1:{process.env['PORT']}"
            # On a busy machine the first response takes seconds.
            process.wait_until(lambda: requests.get(f"{url}/health/live", timeout=5), 120)
            self.url = url  # last, as another thread may be using the previous URL

    def kill(self, process: Process) -> None:
        """Kill the process and its descendants at once, as a power cut would."""
        with suppress(ProcessLookupError):
            os.killpg(process.popen.pid, signal.SIGKILL)
        process.popen.wait()

    def sign_in(self, user: User) -> None:
        token = AccessToken.for_user(user)
        token.set_exp(lifetime=timedelta(days=1))  # long tests do not refresh it
        self.session.headers["Authorization"] = f"Bearer {token}"

    def initiate(self, *file_ids: int, **fields: Any) -> str:
        body = {"file_ids": list(file_ids), **fields}
        answer = self.session.post(f"{self.url}/v1/download/initiate", json=body, timeout=10)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["jobId"])

    def status(self, job_id: str) -> dict[str, Any]:
        answer = self.session.get(f"{self.url}/v1/download/status/{job_id}", timeout=10)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def wait_for(self, job_id: str, *statuses: str, seconds: float = 60) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            job = self.status(job_id)
            return job if job["status"] in statuses else None

        return until(reached, seconds, lambda: f"{self.status(job_id)}\n{self.logs()}")

    def logs(self) -> str:
        tails = [process.log.read_text(errors="replace")[-3000:] for process in self.processes]
        return "\n".join(tails)

    def stop(self) -> None:
        for process in self.processes:
            with suppress(ProcessLookupError):  # a frozen process does not receive signals
                os.killpg(process.popen.pid, signal.SIGCONT)
            process.ask_to_stop()
        for process in self.processes:
            process.end(8)


def on_this_database() -> dict[str, str]:
    """Return the environment of processes that use the database of the running test."""
    servers, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    broker, _, _ = os.environ["REDIS_URL"].rpartition("/")
    name = connection.settings_dict["NAME"]
    return {"DATABASE_URL": f"{servers}/{name}", "REDIS_URL": f"{broker}/1"}


def until(answer: Callable[[], Any], seconds: float = 30, why: Callable[[], str] = str) -> Any:
    """Call `answer` until it returns a true value, and return that. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := answer()):
        assert time.monotonic() < deadline, f"not within {seconds} s\n{why()}"
        time.sleep(0.1)
    return found


def children(pid: int) -> list[int]:
    """Return the process IDs of the direct children, from /proc."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return []
    return [int(child) for child in found.split()]
