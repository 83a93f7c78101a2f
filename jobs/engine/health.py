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
from jobs.lib.replica import REPLICA, is_replica_configured

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 2.5


@require_safe
def health_live(request: HttpRequest) -> JsonResponse:
    """Return 200. Checks nothing else, so that a slow database does not restart this process."""
    return JsonResponse({"status": "healthy"}, headers={"Cache-Control": "no-store"})


@require_safe
def health_ready(request: HttpRequest) -> JsonResponse:
    """Return 200 if storage, database and broker respond; otherwise 503 and which do not.

    The replica is named, too, but polls work without it.
    """
    checks = {name: "ok" if ok else "error" for name, ok in check_dependencies().items()}
    healthy = all(checks[name] == "ok" for name in PROBES)
    return JsonResponse(
        {"status": "healthy" if healthy else "unhealthy", "checks": checks},
        status=HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE,
        headers={"Cache-Control": "no-store"},
    )


def check_dependencies(*names: str) -> dict[str, bool]:
    """Return which of all dependencies, or of `names`, respond within 2.5 s."""
    known = all_probes()
    probes = {name: known[name] for name in names or known}
    for probe in probes.values():
        probe.start()
    deadline = time.monotonic() + TIMEOUT_SECONDS  # for all: they run at the same time
    return {name: probe.is_healthy(deadline) for name, probe in probes.items()}


def all_probes() -> dict[str, HealthProbe]:
    """Return the probes of storage, database and broker, and of the replica if there is one."""
    return PROBES | ({"replica": REPLICA_PROBE} if is_replica_configured() else {})


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
REPLICA_PROBE = HealthProbe(REPLICA.check)
