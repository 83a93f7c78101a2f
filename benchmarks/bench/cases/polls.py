"""Polls of a finished job: their processor time and their rate."""

from __future__ import annotations

from collections.abc import Callable

import requests

from benchmarks.bench.cases.comparison import LoadTarget, compare_under_load
from benchmarks.bench.figures import NotMeasured, Result
from benchmarks.bench.load import Request
from benchmarks.bench.rig import Rig

SERVERS = ("web", "postgres", "redis")


def poll(rig: Rig) -> Result:
    """What does a poll of a finished job cost?"""
    job_id = rig.service.finished_job()
    targets = {"service": _service(rig, lambda: rig.service.poll(job_id))} | _peer(rig)
    django = rig.plain.django()
    targets["Django"] = LoadTarget(lambda: django, rig.plain.roots("django", "postgres"))
    result = compare_under_load(rig, targets, rig.sizes.connections)
    result.notes.append("Django: a JsonResponse with one query by the ORM, without authentication.")
    return result


def not_modified(rig: Rig) -> Result:
    """What does a poll cost that returns 304? The peer has no ETag and returns 200."""
    job_id = rig.service.finished_job()

    def request() -> Request:
        return rig.service.poll(job_id, rig.service.etag(job_id))  # an ETag lasts five minutes

    _check_304(rig, request())
    return compare_under_load(
        rig, {"service": _service(rig, request)} | _peer(rig), rig.sizes.connections
    )


def at_fifty_connections(rig: Rig) -> Result:
    """How many polls per second do all web processes answer, at 50 connections?"""
    job_id = rig.service.finished_job()
    targets = {"service": _service(rig, lambda: rig.service.poll(job_id))} | _peer(rig)
    return compare_under_load(rig, targets, rig.sizes.many_connections)


def _service(rig: Rig, request: Callable[[], Request]) -> LoadTarget:
    return LoadTarget(request, rig.service.roots(*SERVERS))


def _peer(rig: Rig) -> dict[str, LoadTarget]:
    """Return nothing without Node."""
    if not rig.has_peer:
        return {}
    request = rig.peer.poll(rig.peer.finished_job())
    return {"peer": LoadTarget(lambda: request, rig.peer.roots)}


def _check_304(rig: Rig, request: Request) -> None:
    headers = rig.service.headers() | {"If-None-Match": request.etag}
    response = requests.get(request.url, headers=headers, timeout=10)
    if response.status_code != 304:
        raise NotMeasured(f"the service returns {response.status_code}, not 304")
