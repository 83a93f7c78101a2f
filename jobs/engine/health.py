"""Is this process fit to serve? Asked by load balancers, answered within 3 s whatever hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http import HTTPStatus

import structlog
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from jobs import storage
from jobs.engine import queue

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 2.5


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """The process answers. Touches nothing else, so that a slow database restarts nobody."""
    return JsonResponse({"status": "healthy"}, headers={"Cache-Control": "no-store"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """All that a request may need answers: 200, else 503 and which part does not."""
    for probe in PROBES.values():
        probe.start()
    deadline = time.monotonic() + PATIENCE_SECONDS  # one for all: they run at the same time
    checks = {name: "ok" if probe.is_well(deadline) else "error" for name, probe in PROBES.items()}
    healthy = set(checks.values()) == {"ok"}
    return JsonResponse(
        {"status": "healthy" if healthy else "unhealthy", "checks": checks},
        status=HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE,
        headers={"Cache-Control": "no-store"},
    )


class Probe:
    """One check in a thread of its own: a frozen server ignores every timeout we could set.

    Callers that come while one is under way share it, so that a hang holds one thread, not one
    for each call.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._over.set()
        self._well = False

    def start(self) -> None:
        with self._lock:
            if self._over.is_set():
                self._over.clear()
                threading.Thread(target=self._run, daemon=True).start()

    def is_well(self, deadline: float) -> bool:
        return self._over.wait(max(deadline - time.monotonic(), 0)) and self._well

    def _run(self) -> None:
        try:
            self._check()
            self._well = True
        except Exception as error:
            log.warning("unhealthy", check=self._check.__name__, error=repr(error))
            self._well = False
        finally:
            self._over.set()


def _database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


PROBES = {
    "storage": Probe(storage.ping),
    "database": Probe(_database),
    "broker": Probe(queue.ping),
}
