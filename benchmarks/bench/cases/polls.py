"""Polls of a finished job: what one costs, and how many there are in a second."""

from __future__ import annotations

from collections.abc import Callable

import requests

from benchmarks.bench.cases.sides import Side, contest
from benchmarks.bench.figures import NotMeasured, Result
from benchmarks.bench.load import Request
from benchmarks.bench.rig import Rig

SERVERS = ("web", "postgres", "redis")


def poll(rig: Rig) -> Result:
    """What does a poll of a finished job cost?"""
    job_id = rig.service.finished_job()
    sides = {"service": _service(rig, lambda: rig.service.poll(job_id))} | _peer(rig)
    django = rig.plain.django()
    sides["Django"] = Side(lambda: django, rig.plain.roots("django", "postgres"))
    result = contest(rig, sides, rig.sizes.connections)
    result.notes.append("Django: a JsonResponse with one query by the ORM; nobody signs in.")
    return result


def not_modified(rig: Rig) -> Result:
    """What does a poll cost that returns 304? The peer has no ETag and sends it all."""
    job_id = rig.service.finished_job()

    def request() -> Request:
        return rig.service.poll(job_id, rig.service.etag(job_id))  # an ETag lasts five minutes

    _check_304(rig, request())
    return contest(rig, {"service": _service(rig, request)} | _peer(rig), rig.sizes.connections)


def at_fifty_connections(rig: Rig) -> Result:
    """How many polls a second do all web processes answer, at 50 connections?"""
    job_id = rig.service.finished_job()
    sides = {"service": _service(rig, lambda: rig.service.poll(job_id))} | _peer(rig)
    return contest(rig, sides, rig.sizes.many_connections)


def _service(rig: Rig, request: Callable[[], Request]) -> Side:
    return Side(request, rig.service.roots(*SERVERS))


def _peer(rig: Rig) -> dict[str, Side]:
    """Nothing where there is no Node."""
    if not rig.has_peer:
        return {}
    request = rig.peer.poll(rig.peer.finished_job())
    return {"peer": Side(lambda: request, rig.peer.roots)}


def _check_304(rig: Rig, request: Request) -> None:
    headers = rig.service.headers() | {"If-None-Match": request.etag}
    answer = requests.get(request.url, headers=headers, timeout=10)
    if answer.status_code != 304:
        raise NotMeasured(f"the service answers {answer.status_code}, not 304")
