"""Small jobs: what one costs its worker, how many there are in a second, how soon one begins."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from benchmarks.bench import processor_time
from benchmarks.bench.contenders.processes import held
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
        "service": lambda: jobs_round(rig, rig.service, sizes.jobs),
        "Celery": lambda: _tasks_round(rig, sizes.tasks),
    }
    if rig.has_peer:
        measures["peer"] = lambda: _peer_round(rig, sizes.peer_jobs)
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
    """How soon does a job begin on an idle service? By the clock of the database."""
    sql = "SELECT extract(epoch FROM started_at - created_at) FROM jobs_downloadjob WHERE id = %s"
    jobs = [rig.service.finished_job() for _ in range(rig.sizes.latencies)]
    latencies = [float(rig.service.query(sql, job)[0][0]) * 1000 for job in jobs]
    result = Result()
    result.add(LATENCY + ", p50", "ms", median(latencies))
    result.add(LATENCY + ", p95", "ms", percentile(latencies, 0.95))
    return result


def jobs_round(rig: Rig, service: Service, count: int) -> Round:
    """So many jobs, all of which wait when the worker is let go."""
    completed = service.count(COMPLETED)
    with rig.quiet():
        for n in range(count):
            service.initiate(service.tokens[n % len(service.tokens)])
        begun = Begun(service.roots("worker", "postgres"))
    with rig.quiet(but=service):
        found = begun.worked_off(count, service.is_at_rest)
    if service.count(COMPLETED) != completed + count:
        raise NotMeasured(f"not all of {count} jobs were completed")
    return found


def _tasks_round(rig: Rig, count: int) -> Round:
    plain = rig.plain
    target = plain.done() + count
    with rig.quiet():
        with held([plain.started["celery"]]):
            plain.send(count)
            begun = Begun(plain.roots("celery", "postgres"))
        return begun.worked_off(count, lambda: plain.done() >= target)


def _peer_round(rig: Rig, count: int) -> Round:
    peer = rig.peer
    with rig.service.paused():
        with held([peer.worker]):
            target = peer.done() + count
            peer.initiate(count)
            begun = Begun(peer.work_roots)
        return begun.worked_off(count, lambda: peer.done() >= target)


class Begun:
    """What had been used, and when it was, just before a worker was let go."""

    def __init__(self, roots: Roots) -> None:
        self._roots, self._used = roots, processor_time.read(roots)
        self._began = time.monotonic()

    def worked_off(self, count: int, is_done: Callable[[], bool]) -> Round:
        """Raises NotMeasured where it takes too long."""
        while not is_done():
            if time.monotonic() - self._began > ENDS_SECONDS:
                raise NotMeasured(f"{count} jobs were not done within {ENDS_SECONDS} s")
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - self._began
        spent = processor_time.spent(self._used, processor_time.read(self._roots))
        return Round(count, seconds, spent)
