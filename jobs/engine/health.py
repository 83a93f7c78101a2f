"""Health checks for load balancers, which answer within 3 s whatever hangs."""

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
from jobs.engine import broker

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 2.5


@require_safe
def health_live(request: HttpRequest) -> JsonResponse:
    """Return 200. Checks nothing else, so that a slow database does not restart this process."""
    return JsonResponse({"status": "healthy"}, headers={"Cache-Control": "no-store"})


@require_safe
def health_ready(request: HttpRequest) -> JsonResponse:
    """Return 200 if storage, database and broker respond; otherwise 503 and which do not."""
    checks = {name: "ok" if ok else "error" for name, ok in check_dependencies().items()}
    healthy = set(checks.values()) == {"ok"}
    return JsonResponse(
        {"status": "healthy" if healthy else "unhealthy", "checks": checks},
        status=HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE,
        headers={"Cache-Control": "no-store"},
    )


def check_dependencies(*names: str) -> dict[str, bool]:
    """Return which of storage, database and broker, or of `names`, respond within 2.5 s."""
    probes = {name: PROBES[name] for name in names or PROBES}
    for probe in probes.values():
        probe.start()
    deadline = time.monotonic() + TIMEOUT_SECONDS  # for all: they run at the same time
    return {name: probe.is_healthy(deadline) for name, probe in probes.items()}


class HealthProbe:
    """One check, in a thread: a frozen server ignores every timeout that we could set.

    Calls during a check share it, so that a server that hangs blocks one thread, not one a call.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._over.set()
        self._healthy = False
        self.seconds = 0.0  # that the last check took

    def start(self) -> None:
        """Start the check unless one is running."""
        with self._lock:
            if self._over.is_set():
                self._over.clear()
                threading.Thread(target=self._run, daemon=True).start()

    def is_healthy(self, deadline: float) -> bool:
        """Return whether the check passes before the deadline, a time of the monotonic clock."""
        return self._over.wait(max(deadline - time.monotonic(), 0)) and self._healthy

    def _run(self) -> None:
        began = time.monotonic()
        try:
            self._check()
            self._healthy = True
        except Exception as error:
            log.warning("unhealthy", check=self._check.__name__, error=repr(error))
            self._healthy = False
        finally:
            self.seconds = time.monotonic() - began
            self._over.set()


def _database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


PROBES = {
    "storage": HealthProbe(storage.ping_bucket),
    "database": HealthProbe(_database),
    "broker": HealthProbe(broker.ping_broker),
}
