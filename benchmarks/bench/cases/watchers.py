"""Many clients that watch their jobs by server-sent events, on one web process."""

from __future__ import annotations

import asyncio
import resource
import time
from collections import defaultdict
from statistics import median
from urllib.parse import urlsplit

import requests

from benchmarks.bench import processor_time
from benchmarks.bench.contenders.service import Service
from benchmarks.bench.figures import NotMeasured, Result, percentile
from benchmarks.bench.rig import Rig

MEMORY = "memory per watcher"
IDLE = "processor while nothing changes"
CHANGE = "from the change to the client"
CONNECTED = "watchers"
AT_ONCE = 200  # connections opened together
FIRST_EVENT_SECONDS = 60
EVENT_SECONDS = 5  # longest wait for the events of a change


class Watcher(asyncio.Protocol):
    """Counts events, and records the time of each after the first."""

    def __init__(self, job_id: str, head: bytes, arrivals: dict[str, list[float]]) -> None:
        self._job_id, self._head, self._arrivals = job_id, head, arrivals
        self.events = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._head)

    def data_received(self, data: bytes) -> None:
        if b"data:" in data:
            if self.events:
                self._arrivals[self._job_id].append(time.time())
            self.events += 1


def watchers(rig: Rig) -> Result:
    """What do 10,000 watchers cost one web process, and how soon do they receive a change?"""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # child processes inherit it
    service = rig.service_on("watched", broker=9)
    service.start("web", WEB_PROCESSES="1")
    tokens = service.tokens
    jobs = {}
    for n in range(rig.sizes.watched):
        token = tokens[n % len(tokens)]
        jobs[service.initiate(token)] = token
    _check_event_stream(service, next(iter(jobs)))
    with rig.quiet():
        return asyncio.run(_watch(rig, service, jobs))


async def _watch(rig: Rig, service: Service, jobs: dict[str, str]) -> Result:
    arrivals: dict[str, list[float]] = defaultdict(list)
    web, result = service.parts["web"].popen.pid, Result()
    before = processor_time.memory_kib(web)
    watching = await _connect(service, jobs, rig.sizes.watchers, arrivals)
    connected = sum(bool(watcher.events) for watcher in watching)
    result.add(CONNECTED, "", connected)
    if not connected:
        raise NotMeasured("no watcher received an event")
    result.add(MEMORY, "KiB", (processor_time.memory_kib(web) - before) / connected)
    roots = {"web": [web]}
    used = processor_time.read(roots)
    await asyncio.sleep(rig.sizes.idle_seconds)
    spent = processor_time.spent(used, processor_time.read(roots))["web"]
    result.add(IDLE, "ms/s", spent / rig.sizes.idle_seconds)
    arrivals.clear()
    latencies = await _change(rig, service, jobs, arrivals)
    result.add(CHANGE + ", p50", "ms", median(latencies))
    result.add(CHANGE + ", p95", "ms", percentile(latencies, 0.95))
    expected = rig.sizes.changes * rig.sizes.watchers // rig.sizes.watched
    result.notes.append(f"{len(latencies)} of {expected} events arrived")
    return result


async def _connect(
    service: Service, jobs: dict[str, str], count: int, arrivals: dict[str, list[float]]
) -> list[Watcher]:
    loop, ids = asyncio.get_running_loop(), list(jobs)
    port = urlsplit(service.url).port
    found: list[Watcher] = []

    async def connect(job_id: str) -> None:
        watcher = Watcher(job_id, _head(job_id, jobs[job_id]), arrivals)
        found.append(watcher)
        await loop.create_connection(lambda: watcher, "127.0.0.1", port)

    for first in range(0, count, AT_ONCE):
        some = [ids[n % len(ids)] for n in range(first, min(first + AT_ONCE, count))]
        await asyncio.gather(*map(connect, some), return_exceptions=True)
    deadline = time.monotonic() + FIRST_EVENT_SECONDS
    while not all(watcher.events for watcher in found) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    return found


async def _change(
    rig: Rig, service: Service, jobs: dict[str, str], arrivals: dict[str, list[float]]
) -> list[float]:
    """Cancel jobs one by one. Returns the ms from each change in the row to its events."""
    sql = "SELECT extract(epoch FROM updated_at) FROM jobs_downloadjob WHERE id = %s"
    expected = rig.sizes.watchers // rig.sizes.watched  # events of one job
    latencies: list[float] = []
    for job_id in list(jobs)[: rig.sizes.changes]:
        url, headers = f"{service.url}/v1/download/{job_id}", service.headers(jobs[job_id])
        await asyncio.to_thread(requests.delete, url, headers=headers, timeout=10)
        deadline = time.monotonic() + EVENT_SECONDS
        while len(arrivals[job_id]) < expected and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        changed = float(service.query(sql, job_id)[0][0])
        latencies += [(arrived - changed) * 1000 for arrived in arrivals[job_id]]
    if not latencies:
        raise NotMeasured("no watcher received a change")
    return latencies


def _head(job_id: str, token: str) -> bytes:
    lines = [f"GET /v1/download/events/{job_id} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"Authorization: Bearer {token}", "Accept: text/event-stream", "", ""]
    return "\r\n".join(lines).encode()


def _check_event_stream(service: Service, job_id: str) -> None:
    url = f"{service.url}/v1/download/events/{job_id}"
    with requests.get(url, headers=service.headers(), stream=True, timeout=10) as response:
        content_type = response.headers.get("Content-Type", "")
        if response.status_code != 200 or not content_type.startswith("text/event-stream"):
            raise NotMeasured(f"/v1/download/events/… returns {response.status_code}")
