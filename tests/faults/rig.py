"""The service with a proxy before each of its servers, and the final checks of a case.

A case breaks something, uses the public API, and calls `rig.judge()`, which checks every accepted
job. It reads rows and objects directly, as the API could be wrong.
"""

from __future__ import annotations

import hashlib
import io
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from zipfile import ZipFile

import redis
import requests
from django.conf import settings
from django.db import connection

from downloads_project.celery import app
from downloads_project.local.stack import Stack
from downloads_project.processes import Process
from jobs import storage
from jobs.engine.doorbell_message import TASK
from jobs.kinds.registry import kind_folder
from jobs.models import DownloadJob, JobEvent, StoredFile
from jobs.states import FINAL, Status
from tests.faults.proxy import Proxy
from tests.faults.sabotage import GATE
from tests.live import CLOCKS, Live, children, until

# Collect at once and once more soon, so that leftovers are gone by the end of a case.
RIG_CLOCKS = {
    "COLLECT_EVERY_SECONDS": "0.5",
    "COLLECT_AGAIN_SECONDS": "1",
    "JOB_MIN_SPEED": "1000000000",  # else the folders of large jobs are collected again much later
}
# A worker whose jobs wait for `open_gate`, so that timing does not matter.
HELD = {"SABOTAGE": "hold_until_opened"}
OUTCOMES = {"succeed", "retry", "fail", "hand_back", "rescue", "cancel"}


@dataclass(frozen=True)
class Figure:
    """A measured value, at most `bound`."""

    what: str
    value: float
    bound: float | None
    unit: str


class Rig(Live):
    def __init__(self, folder: Path, stack: Stack, env: dict[str, str]) -> None:
        self.servers = {server.name: server for server in stack.processes}
        self.lines: dict[str, Proxy] = {}
        urls = {
            "DATABASE_URL": self._line("Postgres", _test_database()),
            "REDIS_URL": self._line("Redis", os.environ["REDIS_URL"].rpartition("/")[0] + "/1"),
            "S3_ENDPOINT_URL": self._line("S3", os.environ["S3_ENDPOINT_URL"]),
            "S3_PUBLIC_ENDPOINT_URL": os.environ["S3_ENDPOINT_URL"],
        }
        super().__init__(folder, RIG_CLOCKS | {"SABOTAGE_FOLDER": str(folder)} | urls | env)
        self.broker_url = os.environ["REDIS_URL"].rpartition("/")[0] + "/1"  # bypasses the proxy
        self.redis = redis.Redis.from_url(self.broker_url, socket_timeout=5)
        self.redis.flushdb()
        self.accepted: dict[str, list[int]] = {}  # job id -> the requested file ids
        self.answers: Counter[int] = Counter()
        self.posts_seconds: list[float] = []
        self.figures: list[Figure] = []
        self.was_judged = False
        # The stack commits asynchronously for speed: a kill would lose committed rows.
        with connection.cursor() as cursor:
            name = connection.settings_dict["NAME"]
            cursor.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = on')
        connection.close()

    def _line(self, name: str, url: str) -> str:
        """Return the URL of the server through its proxy."""
        self.lines[name] = proxy = Proxy(urlsplit(url).port or 0)
        return _through(proxy, url)

    def database_line(self) -> tuple[Proxy, dict[str, str]]:
        """Return another proxy of the database, and the environment of a process that uses it."""
        url = _test_database()
        proxy = Proxy(urlsplit(url).port or 0)
        self.lines["another to Postgres"] = proxy
        return proxy, {"DATABASE_URL": _through(proxy, url)}

    def use_production_clocks(self) -> None:
        """Start processes with the intervals of production. Leftovers are still collected soon."""
        self.env = {name: value for name, value in self.env.items() if name not in CLOCKS}

    def start(self, name: str, **env: str) -> Process:
        process = super().start(name, **env)
        if name == "web":
            # The first requests of each process load modules.
            together(*[partial(requests.get, f"{self.url}/health", timeout=10)] * 8)
            nothing = partial(requests.post, f"{self.url}/v1/download/initiate", json={})
            together(*[partial(nothing, headers=self.session.headers, timeout=10)] * 8)
        return process

    # Requests of clients

    def post(self, *file_ids: int, key: str = "", **fields: Any) -> requests.Response:
        """Send a POST and record the response. Raises requests.RequestException."""
        began = time.monotonic()
        answer = self.session.post(
            f"{self.url}/v1/download/initiate",
            json={"file_ids": list(file_ids), **fields},
            headers={"Idempotency-Key": key} if key else {},
            timeout=30,
        )
        self.posts_seconds.append(time.monotonic() - began)
        self.answers[answer.status_code] += 1
        if answer.status_code == 202:
            self.accepted[answer.json()["jobId"]] = list(file_ids)
        return answer

    def initiate(self, *file_ids: int, **fields: Any) -> str:
        answer = self.post(*file_ids, **fields)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["jobId"])

    def ask(self, path: str, timeout: float = 30) -> requests.Response:
        """Send a GET to a path of the service. Returns the response, whatever its status."""
        answer = self.session.get(f"{self.url}{path}", timeout=timeout, allow_redirects=False)
        self.answers[answer.status_code] += 1
        return answer

    def poll(self, job_id: str) -> requests.Response:
        return self.ask(f"/v1/download/status/{job_id}")

    def cancel(self, job_id: str) -> int:
        answer = self.session.delete(f"{self.url}/v1/download/{job_id}", timeout=30)
        self.answers[answer.status_code] += 1
        return answer.status_code

    # The broker's content

    def doorbells(self) -> int:
        """Return the number of queued doorbells of all priorities."""
        lists = self.redis.keys(f"{settings.QUEUE}*")
        return sum(int(self.redis.llen(name)) for name in lists)

    def ring(self, *job_ids: str, task: str = TASK) -> None:
        """Send a message for each doorbell, as the service does."""
        with app.connection_for_write(self.broker_url) as connection:
            for job_id in job_ids:
                app.send_task(task, [job_id], connection=connection, queue=settings.QUEUE)

    # Processes and servers

    def worker(self, **env: str) -> Process:
        return self.start("worker", **env)

    def ready_worker(self, **env: str) -> Process:
        """Start a worker, and wait until it takes jobs."""
        worker = self.worker(**env)
        until(lambda: " ready." in worker.log.read_text(errors="replace"), 120, self.logs)
        return worker

    def open_gate(self) -> None:
        """Let the builders of held workers continue, also those of workers started later."""
        (self.folder / GATE).touch()

    def freeze(self, process: Process) -> None:
        connection.close()  # our own connection would hang if it is Postgres
        signal_all(process.popen.pid, signal.SIGSTOP)

    def thaw(self, process: Process) -> None:
        signal_all(process.popen.pid, signal.SIGCONT)

    def restart(self, name: str, down_seconds: float = 0, *, stop: int = signal.SIGKILL) -> None:
        """Stop and start a server. It keeps its data on disk."""
        self.take_down(name, stop=stop)
        time.sleep(down_seconds)
        self.bring_up(name)

    def take_down(self, name: str, *, stop: int = signal.SIGKILL) -> None:
        server = self.servers[name]
        connection.close()
        if stop == signal.SIGKILL:
            self.kill(server)
        else:
            server.popen.send_signal(stop)
            server.popen.wait(30)

    def bring_up(self, name: str) -> None:
        server = self.servers[name]

        def answers() -> bool:
            if not server.is_alive:  # Postgres waits until the old processes have ended
                server.start()
                time.sleep(0.5)
            return server.is_alive and self.accepts_connections(name)

        server.start()
        until(answers, 60, lambda: server.log.read_text(errors="replace")[-2000:])

    def accepts_connections(self, name: str) -> bool:
        try:
            if name == "Postgres":
                connection.close()
                connection.ensure_connection()
            elif name == "Redis":
                self.redis.ping()
            else:
                storage.ping_bucket()
        except Exception:
            return False
        return True

    # Figures and final checks

    def figure(self, what: str, value: float, *, bound: float | None, unit: str = "s") -> None:
        self.figures.append(Figure(what, round(value, 3), bound, unit))

    def figure_of_posts(self, bound: float) -> None:
        """Record the 95th percentile and the maximum (at most 1 s) of the times of POSTs."""
        took = sorted(self.posts_seconds)
        self.figure("p95 of POST", took[(len(took) - 1) * 95 // 100], bound=bound)
        self.figure("slowest POST", took[-1], bound=1)

    def timed(self, reached: Callable[[], Any], seconds: float = 60) -> float:
        """Return the seconds until the condition holds."""
        began = time.monotonic()
        until(reached, seconds, self.logs)
        return time.monotonic() - began

    def statuses(self, job_ids: Iterable[str] | None = None) -> Counter[str]:
        wanted = DownloadJob.objects.filter(pk__in=list(job_ids or self.accepted))
        return Counter(wanted.values_list("status", flat=True))

    def all_final(self, job_ids: Iterable[str] | None = None) -> bool:
        return set(self.statuses(job_ids)) <= FINAL

    def judge(self, within: float = 60, *, outcomes: set[str] | None = None) -> None:
        """Check I1 to I4 for every accepted job, and that there was no 500 response."""
        until(self.all_final, within, lambda: f"{self.statuses()}\n{self.logs()}")
        for job_id in self.accepted:  # the API shows what the rows have
            assert self.status(job_id)["status"] in (outcomes or {"completed"}), self.story(job_id)
        until(lambda: not self._to_collect(), 30, lambda: f"not collected\n{self.logs()}")
        jobs = DownloadJob.objects.filter(pk__in=list(self.accepted))
        assert len(jobs) == len(self.accepted)
        for job in jobs.select_related("artifact").prefetch_related("events", "files"):
            assert_one_object(job, self.accepted[str(job.pk)])
            assert_consistent_history(job)
        assert not any(status == 500 for status in self.answers), self.logs()
        for web in (process for process in self.processes if process.name == "web"):
            assert '" 500 ' not in web.log.read_text(errors="replace"), self.logs()
        self.was_judged = True

    def _to_collect(self) -> bool:
        looked_at_twice = DownloadJob.objects.filter(collect_at=None)
        return DownloadJob.objects.exclude(pk__in=looked_at_twice.values("pk")).exists()

    def count(self, event: str) -> int:
        """Return the number of events of this type, over all jobs."""
        return JobEvent.objects.filter(event=event).count()

    def story(self, job_id: str) -> list[str]:
        job = DownloadJob.objects.get(pk=job_id)
        lines = ([line.event, line.attempt, line.code, line.by] for line in job.events.all())
        return [" ".join(str(word) for word in words if word != "") for words in lines]

    def stop(self) -> None:
        for server in self.servers.values():
            self.thaw(server)
        for line in self.lines.values():
            line.pass_on()
        super().stop()
        for line in self.lines.values():
            line.close()
        self.redis.close()
        self.session.close()


def slow(seconds: float) -> dict[str, str]:
    """Return the environment of a worker whose jobs take that long."""
    return {"SIMULATED_DELAY_SECONDS": f"{seconds},{seconds}"}


def signal_all(pid: int, number: signal.Signals) -> None:
    """Signal the process and its descendants; Postgres' backends have their own groups."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    for child in children(pid):
        signal_all(child, number)


def assert_one_object(job: DownloadJob, file_ids: list[int]) -> None:
    """I2: check that the folder of a completed job has its artifact and nothing else."""
    bucket = storage.bucket()
    found = bucket.client.list_objects_v2(Bucket=bucket.bucket_name, Prefix=kind_folder(job))
    keys = [item["Key"] for item in found.get("Contents", [])]
    assert keys == [file.key for file in job.files.all()], f"{job.pk}: {keys}"
    assert not list(storage.list_open_uploads(kind_folder(job))), f"{job.pk} left an open upload"
    if job.status != Status.COMPLETED:
        return
    assert job.artifact is not None
    assert [job.artifact.key] == keys
    content = b"".join(storage.read_object(job.artifact.key))
    assert hashlib.sha256(content).hexdigest() == job.artifact.sha256
    with ZipFile(io.BytesIO(content)) as archive:
        inside = [hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()]
    hashes = dict(StoredFile.objects.values_list("file_id", "sha256"))
    assert inside == [hashes[file_id] for file_id in dict.fromkeys(file_ids)]


def assert_consistent_history(job: DownloadJob) -> None:
    """I3, I4: check that each attempt has one claim and one outcome, in order."""
    lines = [(line.event, line.attempt) for line in job.events.all()]
    assert lines[0] == ("submit", 0), lines
    claims = [attempt for event, attempt in lines if event == "claim"]
    assert claims == list(range(1, job.attempt + 1)), lines
    for attempt in claims:
        ended = [event for event, of in lines if of == attempt and event in OUTCOMES]
        # A job that is cancelled while it waits for a retry has `cancel` after its last outcome.
        assert len(ended) == 1 or ended[1:] == ["cancel"], lines
    last = {"completed": "succeed", "failed": "fail", "cancelled": "cancel", "expired": "expire"}
    assert lines[-1][0] == last[job.status], lines
    finals = [event for event, _ in lines if event in ("succeed", "fail", "cancel")]
    requeues = [event for event, _ in lines if event == "requeue"]
    assert len(finals) == 1 + len(requeues), lines


def _through(proxy: Proxy, url: str) -> str:
    parts = urlsplit(url)
    place = parts.netloc.rpartition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{place}:{proxy.port}"))


def _test_database() -> str:
    return os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{connection.settings_dict['NAME']}"


def together(*acts: Callable[[], Any]) -> list[Any]:
    """Call the functions in threads at the same moment. Returns the results or errors."""
    barrier, results = threading.Barrier(len(acts)), [None] * len(acts)

    def run(n: int) -> None:
        barrier.wait()
        try:
            results[n] = acts[n]()
        except Exception as error:
            results[n] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[n]) for n in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
