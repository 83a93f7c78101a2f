"""Report every few seconds that a worker or a dispatcher is running: see ServiceProcess."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog
from django.db import connection

from jobs.engine.process_metrics import TICK, record_reported_metrics, serve_process_metrics
from jobs.lib.database import DATABASE_UNAVAILABLE
from jobs.models import ServiceProcess
from jobs.models.service_process import REPORT_SECONDS

log = structlog.get_logger(__name__)

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
STOP_SECONDS = 1.0
Facts = Mapping[str, Any]  # columns of ServiceProcess


class ProcessReports:
    """A thread that reports this process until it is stopped."""

    def __init__(
        self,
        role: ServiceProcess.Role,
        name: str,
        facts: Callable[[], Facts],
        *,
        then: Callable[[], object] = lambda: None,
    ) -> None:
        """`then` is called after each report."""
        self._role, self._name, self._facts, self._then = role, name, facts, then
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="process reports", daemon=True)

    def start(self) -> None:
        serve_process_metrics()
        self._thread.start()

    def stop(self) -> None:
        """Stop the reports and delete the row, so that nobody misses this process."""
        self._stop.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while True:
            self._try(self._report)
            self._try(self._then)
            if self._stop.wait(REPORT_SECONDS):
                break
        self._try(lambda: ServiceProcess.objects.forget(self._role, self._name))

    def _report(self) -> None:
        facts = {"scratch_free": _scratch_free(), **self._facts()}
        record_reported_metrics(facts)
        ServiceProcess.objects.report(self._role, self._name, **facts)

    def _try(self, write: Callable[[], Any]) -> None:
        try:
            write()
        except DATABASE_UNAVAILABLE as error:
            log.warning("the process could not be reported", error=repr(error))
        except Exception:
            log.exception("the process could not be reported")
        finally:
            with suppress(Exception):
                connection.close()  # pool processes are forked meanwhile


class DispatcherTicks:
    """How long the frequent sweeps take, and when they were last done."""

    def __init__(self) -> None:
        self._longest = 0.0
        self._began: float | None = None

    @contextmanager
    def measured(self) -> Iterator[None]:
        self._began = time.monotonic()
        yield
        took = time.monotonic() - self._began
        TICK.observe(took)
        self._longest = max(self._longest, took)
        self._began = None

    def facts(self) -> dict[str, Any]:
        """Return the longest tick since the last call; a tick that hangs is as long as it is."""
        began = self._began
        running = time.monotonic() - began if began is not None else 0.0
        longest, self._longest = max(self._longest, running), 0.0
        return {"tick_seconds": longest, "memory_bytes": memory_bytes()}


def process_name(role: str) -> str:
    """Return a name like that of a Celery worker, `dispatcher-71@host`."""
    return f"{role}-{os.getpid()}@{platform.node()}"


def memory_bytes(children: Iterable[int] = ()) -> int:
    """Return the memory of this process, and what each child does not share. Linux only."""
    own, _ = _pages(os.getpid())
    unshared = (resident - shared for resident, shared in map(_pages, children))
    return (own + sum(unshared)) * PAGE_BYTES


def _scratch_free() -> float:
    """Return the share of the disk with the scratch folders that is free."""
    usage = shutil.disk_usage(tempfile.gettempdir())
    return usage.free / usage.total


def _pages(pid: int) -> tuple[int, int]:
    """Return the resident pages of a process and how many of them are shared."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:  # it has ended
        return 0, 0
    return int(fields[1]), int(fields[2])
