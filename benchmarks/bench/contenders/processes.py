"""Suspends process trees while another contender is measured, and stops them at the end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from benchmarks.bench import processor_time
from downloads_project.processes import Process

STOP_SECONDS = 10


@contextmanager
def suspended(processes: Iterable[Process]) -> Iterator[None]:
    """Suspend the processes and their descendants. They are always resumed."""
    pids = [process.popen.pid for process in processes]
    try:
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            _signal(pid, signal.SIGCONT)


def stop(processes: Iterable[Process]) -> None:
    ending = list(processes)
    for process in ending:
        process.ask_to_stop()
    for process in ending:
        process.end(STOP_SECONDS)


def _signal(root: int, number: signal.Signals) -> None:
    for pid in processor_time.tree(root):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
