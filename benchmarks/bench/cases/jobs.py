"""Small jobs: their processor time, their rate, and how soon one starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from benchmarks.bench import processor_time
from benchmarks.bench.contenders.processes import suspended
from benchmarks.bench.contenders.service import Service
from benchmarks.bench.figures import JOB, NotMeasured, Result, Round, compare, percentile
from benchmarks.bench.processor_time import Roots
from benchmarks.bench.rig import Rig

POLL_SECONDS = 0.2  # its cost is included
ENDS_SECONDS = 300
LATENCY = "from the start to processing"
COMPLETED = "status = 'completed'"


def small_jobs(rig: Rig) -> Result:
    """What does a zip of a file of 20 kB cost worker and Postgres, compared with empty tasks?"""
    sizes = rig.sizes
    rig.plain.worker()
    measures = {
        "service": lambda: measure_jobs(rig, rig.service, sizes.jobs),
        "Celery": lambda: _measure_tasks(rig, sizes.tasks),
    }
    if rig.has_peer:
        measures["peer"] = lambda: _measure_peer(rig, sizes.peer_jobs)
    if sizes.warm_up_seconds:
        for measure in measures.values():
            measure()
    result = compare(measures, sizes.rounds, unit=JOB)
    result.notes += [
        "Celery: a no-op with its result in Postgres (django-db), by two pool processes.",
        "Peer: BullMQ's worker, two jobs at once; it reads, zips and stores nothing.",
    ]
    return result


def start_to_processing(rig: Rig) -> Result:
    """How soon does a job start on an idle service? By the clock of the database."""
    sql = "SELECT extract(epoch FROM started_at - created_at) FROM jobs_downloadjob WHERE id = %s"
    jobs = [rig.service.finished_job() for _ in range(rig.sizes.latencies)]
    latencies = [float(rig.service.query(sql, job)[0][0]) * 1000 for job in jobs]
    result = Result()
    result.add(LATENCY + ", p50", "ms", median(latencies))
    result.add(LATENCY + ", p95", "ms", percentile(latencies, 0.95))
    return result


def measure_jobs(rig: Rig, service: Service, count: int) -> Round:
    """Measure a worker that completes `count` jobs, queued before it is resumed."""
    completed = service.count(COMPLETED)
    with rig.quiet():
        for n in range(count):
            service.initiate(service.tokens[n % len(service.tokens)])
        measurement = Measurement(service.roots("worker", "postgres"))
    with rig.quiet(except_for=service):
        found = measurement.finish(count, service.is_idle)
    if service.count(COMPLETED) != completed + count:
        raise NotMeasured(f"not all of the {count} jobs completed")
    return found


def _measure_tasks(rig: Rig, count: int) -> Round:
    plain = rig.plain
    target = plain.done() + count
    with rig.quiet():
        with suspended([plain.started["celery"]]):
            plain.send(count)
            measurement = Measurement(plain.roots("celery", "postgres"))
        return measurement.finish(count, lambda: plain.done() >= target)


def _measure_peer(rig: Rig, count: int) -> Round:
    peer = rig.peer
    with rig.service.paused():
        with suspended([peer.worker]):
            target = peer.done() + count
            peer.initiate(count)
            measurement = Measurement(peer.work_roots)
        return measurement.finish(count, lambda: peer.done() >= target)


class Measurement:
    """Processor time and duration, from the moment a worker is resumed until its jobs are done."""

    def __init__(self, roots: Roots) -> None:
        self._roots, self._used = roots, processor_time.read(roots)
        self._began = time.monotonic()

    def finish(self, count: int, is_done: Callable[[], bool]) -> Round:
        """Wait until the jobs are done. Raises NotMeasured if it takes too long."""
        while not is_done():
            if time.monotonic() - self._began > ENDS_SECONDS:
                raise NotMeasured(f"{count} jobs were not done within {ENDS_SECONDS} s")
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - self._began
        spent = processor_time.spent(self._used, processor_time.read(self._roots))
        return Round(count, seconds, spent)
