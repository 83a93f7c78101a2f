"""The process between the worker and the reader: it ends with either of them.

It reads no untrusted data. As a subreaper it adopts what the reader started, daemons included, and
kills and reaps all of it.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from jobs.kinds.upload.previews import sandbox

SIGNALS = {signal.SIGTERM, signal.SIGCHLD}
SIGNALLED = 128  # plus the signal's number, as in shells
POLL_SECONDS = 0.001


def fork_supervised_reader(*, parent: int) -> None:
    """Fork, and return in the child, the reader. There must be no threads.

    The supervisor stays until the reader or `parent` ends or SIGTERM arrives. It exits with the
    reader's status.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    sandbox.end_sandbox_with(parent, signal.SIGTERM)
    sandbox.adopt_sandbox_orphans()
    supervisor = os.getpid()
    gc.freeze()  # a collection in the reader would copy shared pages
    if reader := os.fork():
        os._exit(_supervise(reader))
    os.setpgid(0, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    sandbox.end_sandbox_with(supervisor)


def _supervise(reader: int) -> int:
    with suppress(OSError):  # the reader did so itself, or has ended
        os.setpgid(reader, reader)
    _wait_for(reader)
    # The whole group, while its pid is reserved.
    os.killpg(reader, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1])
    _end_orphans()
    return status if status >= 0 else SIGNALLED - status


def _wait_for(reader: int) -> None:
    """Wait until the reader ends, without reaping it, or until SIGTERM. Reaps orphans."""
    while signal.sigwait(SIGNALS) != signal.SIGTERM:
        while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if ended.si_pid == reader:
                return
            os.waitpid(ended.si_pid, 0)


def _end_orphans() -> None:
    while True:
        try:
            reaped, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if reaped:
            continue
        for pid in _children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def _children() -> Iterator[int]:
    own_pid = str(os.getpid())
    for folder in Path("/proc").glob("[1-9]*") if sys.platform == "linux" else ():
        with suppress(OSError):
            # The name, in parentheses, may contain anything.
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == own_pid:
                yield int(folder.name)
