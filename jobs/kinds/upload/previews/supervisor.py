"""The process between the worker and the reader: ends with either of them, and nothing outlives it.

It reads nothing of a stranger's. What the reader starts becomes its child when the reader ends,
also a daemon with a session of its own: it kills and reaps all of them.
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

HEARD = {signal.SIGTERM, signal.SIGCHLD}
SIGNALLED = 128  # plus its number, as shells say that a signal ended somebody
LOOK_AGAIN_SECONDS = 0.001


def fork_reader(*, parent: int) -> None:
    """Returns in a child, the reader. The process itself stays until that ends, `parent` does, or
    somebody sends SIGTERM, and has the reader's exit status. There must be no threads."""
    for number in HEARD:
        signal.signal(number, signal.SIG_DFL)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    sandbox.die_with(parent, signal.SIGTERM)
    sandbox.adopt_orphans()
    supervisor = os.getpid()
    gc.freeze()  # a collection in the reader would copy what both have
    if reader := os.fork():
        os._exit(_supervise(reader))
    os.setpgid(0, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    sandbox.die_with(supervisor)


def _supervise(reader: int) -> int:
    with suppress(OSError):  # it did so itself, or is gone
        os.setpgid(reader, reader)
    _wait_for(reader)
    # At once and all of them, while its number is nobody else's.
    os.killpg(reader, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1])
    _end_orphans()
    return status if status >= 0 else SIGNALLED - status


def _wait_for(reader: int) -> None:
    """Wait until the reader ends, without reaping it, or until SIGTERM. Reaps orphans."""
    while signal.sigwait(HEARD) != signal.SIGTERM:
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
        time.sleep(LOOK_AGAIN_SECONDS)


def _children() -> Iterator[int]:
    me = str(os.getpid())
    for folder in Path("/proc").glob("[1-9]*") if sys.platform == "linux" else ():
        with suppress(OSError):
            # The name comes before, in brackets, and may have anything in it.
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == me:
                yield int(folder.name)
