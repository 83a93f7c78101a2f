"""Replace a release by this one under load, in both orders, and count what clients saw.

python -m deploy.rolling_upgrade --from REVISION [--rows 1000000] [--clients 6]

`REVISION` is a commit of this repository, whose code runs with the same virtual environment. Each
order has servers of its own: the documented one (workers and dispatchers, then web), and the other
(web first). The clients behave as behind a proxy: a connection that is refused or reset is tried at
the next web process. The exit status is 1 if a response was 5xx, or a job failed or did not end.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from downloads_project.local.ports import free_ports
from downloads_project.local.stack import Stack
from downloads_project.processes import Process

ROOT = Path(__file__).resolve().parent.parent

BIN = Path(sys.executable).parent
PASSWORD = "rolled"  # noqa: S105 # of a service that lives for minutes
WEBS, WORKERS, DISPATCHERS = 2, 2, 2
STEADY_SECONDS = 8.0  # between two replacements
DRAIN_SECONDS = 1.0  # for a proxy to stop sending requests to a web process that is going
JOB_SECONDS = 150  # more than a lease
UNREACHED = "owner:900000000/60,address:900000000/60"
SETTINGS = {
    **dict.fromkeys(("RATE_INITIATE", "RATE_POLL"), UNREACHED),
    "CLAMD": "off",
    "DEMO_PASSWORD": PASSWORD,
    "MAX_ACTIVE_JOBS": "100000",
    "OPERATOR_PASSWORD": PASSWORD,
    "REMAP_SIGTERM": "SIGQUIT",
    "WEB_PROCESSES": "1",
}
BODIES: list[tuple[str, dict[str, Any]]] = [
    ("v1/download/initiate", {"file_ids": [70000]}),
    ("v1/download/initiate", {"file_ids": [70001, 70002, 70003]}),
    ("reports", {"format": "json", "period": "7d"}),
]


@dataclass
class Seen:
    """What the clients saw."""

    answers: Counter[int] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    retried: int = 0  # refused or reset connections
    slowest_seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_fine(self) -> bool:
        errors = sum(count for status, count in self.answers.items() if status >= 500)
        return not errors and not self.wrong and set(self.ended) == {"completed"}


class Client(threading.Thread):
    """Starts one job after another, polls each until it ends, and gets its result."""

    def __init__(self, webs: list[str], token: Callable[[], str], seen: Seen, number: int) -> None:
        super().__init__(daemon=True)
        self.webs, self.token, self.seen, self.number = webs, token, seen, number
        self.is_enough = threading.Event()
        self._session = requests.Session()

    def run(self) -> None:
        while not self.is_enough.is_set():
            self.number += 1
            try:
                self._one_job(*BODIES[self.number % len(BODIES)])
            except Exception as error:
                with self.seen.lock:
                    self.seen.wrong.append(f"{type(error).__name__}: {error}"[:300])

    def _one_job(self, path: str, body: dict[str, Any]) -> None:
        key = {"Idempotency-Key": uuid.uuid4().hex}
        started = self._request("POST", path, headers=key, json=body)
        if started.status_code != 202:
            raise RuntimeError(f"{path}: {started.status_code} {started.text}")
        job, deadline = started.json(), time.monotonic() + JOB_SECONDS
        while job.get("status") in ("queued", "processing") and time.monotonic() < deadline:
            time.sleep(0.3)
            job = self._request("GET", f"v1/download/status/{job['jobId']}").json()
        with self.seen.lock:
            self.seen.ended[str(job.get("status"))] += 1
        if job.get("status") == "completed":
            self._request("GET", f"v1/download/result/{job['jobId']}")

    def _request(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = options.pop("headers", {}) | {"Authorization": f"Bearer {self.token()}"}
        deadline = time.monotonic() + 60
        for attempt in range(1_000_000):
            webs = list(self.webs)
            url = f"{webs[(self.number + attempt) % len(webs)]}/{path}"
            began = time.monotonic()
            try:
                found = self._session.request(method, url, headers=headers, timeout=60, **options)
                break
            except requests.ConnectionError:
                with self.seen.lock:
                    self.seen.retried += 1
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        with self.seen.lock:
            self.seen.answers[found.status_code] += 1
            self.seen.slowest_seconds = max(self.seen.slowest_seconds, time.monotonic() - began)
        return found


class Deployment:
    """The processes of two releases beside each other, on one set of servers."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder, self.env = folder, env
        self.webs: list[str] = []  # URLs to which the proxy sends requests
        self.processes: dict[str, list[Process]] = {"web": [], "worker": [], "dispatcher": []}
        self._ports, self._number = free_ports(str(folder)), 0

    def start(self, release: Path, role: str) -> None:
        self._number += 1
        worker = "-A downloads_project worker --concurrency=2 --without-mingle --without-gossip"
        command: dict[str, list[str | Path]] = {
            "web": [BIN / "gunicorn", "-c", "python:downloads_project.gunicorn"],
            "worker": [BIN / "celery", *worker.split(), f"--hostname=w{self._number}@roll"],
            "dispatcher": [sys.executable, "manage.py", "dispatcher"],
        }
        port = str(next(self._ports))
        process = Process(
            role,
            ["env", f"--chdir={release}", *command[role]],
            self.folder / f"{role}-{self._number}.log",
            self.env | {"ROLE": role, "PORT": port},
        )
        process.start()
        if role == "web":
            url = f"http://127.0.0.1:{port}"
            process.wait_until(
                lambda: requests.get(f"{url}/health", timeout=5).raise_for_status(), 120
            )
            self.webs.append(url)
        elif role == "worker":
            process.wait_until(lambda: _expect(" ready.", process.log), 120)
        self.processes[role].append(process)

    def replace(self, release: Path, role: str) -> None:
        """Replace the oldest process of a role."""
        self.start(release, role)
        old = self.processes[role].pop(0)
        if role == "web":
            self.webs.pop(0)
            time.sleep(DRAIN_SECONDS)
        old.ask_to_stop()
        old.end(60)

    def manage(self, release: Path, *words: str) -> None:
        subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=release, env=os.environ | self.env, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self) -> None:
        processes = [process for role in self.processes.values() for process in role]
        for process in processes:
            process.ask_to_stop()
        for process in processes:
            process.end(40)


def _expect(text: str, log: Path) -> None:
    if text not in log.read_text(errors="replace"):
        raise RuntimeError(f"{text!r} is not in {log.name}")


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """The code of a revision, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder, "code")
        archive = subprocess.run(
            ["git", "archive", revision], cwd=ROOT, stdout=subprocess.PIPE, check=True
        )
        code.mkdir()
        subprocess.run(["tar", "-x", "-C", code], input=archive.stdout, check=True)
        yield code


@contextmanager
def loaded(deployment: Deployment, clients: int) -> Iterator[Seen]:
    """Clients that request jobs; those that were accepted end before the exit."""
    seen, tokens = Seen(), dict[float, str]()

    def token() -> str:  # one for ten minutes
        turn = time.monotonic() // 600
        if turn not in tokens:
            body = {"username": "demo", "password": PASSWORD}
            url = f"{deployment.webs[-1]}/v1/auth/token"
            tokens[turn] = requests.post(url, json=body, timeout=60).json()["access"]
        return tokens[turn]

    token()
    threads = [Client(deployment.webs, token, seen, n * 1000) for n in range(clients)]
    for thread in threads:
        thread.start()
    yield seen
    for thread in threads:
        thread.is_enough.set()
    for thread in threads:
        thread.join(JOB_SECONDS + 60)


def roll(old: Path, roles: tuple[str, ...], *, rows: int, clients: int) -> bool:
    """Roll this code out over the old one in the order of `roles`. Return whether all was well."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), durable=False)
        deployment = Deployment(Path(folder), stack.start() | SETTINGS)
        try:
            return _roll(deployment, old, roles, rows=rows, clients=clients)
        finally:
            deployment.stop()
            stack.stop()


def _roll(
    deployment: Deployment, old: Path, roles: tuple[str, ...], *, rows: int, clients: int
) -> bool:
    counts = {"web": WEBS, "worker": WORKERS, "dispatcher": DISPATCHERS}
    deployment.manage(old, "migrate", "--verbosity=0")
    deployment.manage(old, "seed_demo")
    if rows:
        deployment.manage(old, "seed_load", "--jobs", str(rows))
    for role, count in counts.items():
        for _ in range(count):
            deployment.start(old, role)
    with loaded(deployment, clients) as seen:
        time.sleep(STEADY_SECONDS)
        report("the old release", seen)
        began = time.monotonic()
        deployment.manage(ROOT, "migrate", "--verbosity=0")
        report(f"migrated in {time.monotonic() - began:.1f} s", seen)
        time.sleep(STEADY_SECONDS)
        for role in roles:
            for number in range(counts[role]):
                deployment.replace(ROOT, role)
                time.sleep(STEADY_SECONDS)
                report(f"{role} {number + 1} of {counts[role]} replaced", seen)
    report("all jobs ended", seen)
    for wrong in seen.wrong[:10]:
        print("   ", wrong)
    return seen.is_fine()


def report(step: str, seen: Seen) -> None:
    with seen.lock:
        errors = sum(count for status, count in seen.answers.items() if status >= 500)
        print(
            f"{step:32}{sum(seen.answers.values()):>9}{errors:>6}{seen.retried:>9}"
            f"{seen.ended.total():>8}{seen.ended.total() - seen.ended['completed']:>8}"
            f"{seen.slowest_seconds:>9.2f}",
            flush=True,
        )
        seen.slowest_seconds = 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--from", dest="revision", required=True)
    parser.add_argument("--rows", type=int, default=0, help="finished jobs in the database")
    parser.add_argument("--clients", type=int, default=6)
    options = parser.parse_args()
    orders = ("worker", "dispatcher", "web"), ("web", "worker", "dispatcher")
    fine = True
    with checked_out(options.revision) as old:
        for roles in orders:
            print(f"\n{', then '.join(roles)}")
            print(
                f"{'after':32}{'answers':>9}{'5xx':>6}{'retried':>9}{'jobs':>8}{'failed':>8}"
                f"{'slowest':>9}"
            )
            fine &= roll(old, roles, rows=options.rows, clients=options.clients)
    return int(not fine)


if __name__ == "__main__":
    sys.exit(main())
