"""Process trees that are held still while somebody else is measured."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from benchmarks.bench import processor_time
from downloads_project.processes import Process

STOP_SECONDS = 10


@contextmanager
def held(processes: Iterable[Process]) -> Iterator[None]:
    """Freeze them, with all below them, meanwhile. They go on whatever happens."""
    frozen = [process.popen.pid for process in processes]
    try:
        for pid in frozen:
            _signal(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in frozen:
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
