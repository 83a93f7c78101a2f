"""What the helper process gives up before it reads a stranger's file. Linux enforces all of it,
other systems some."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

from jobs.processing.outcome import Limits

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
CAPABILITIES_V3 = 0x20080522
OPEN_FILES = 64
GRACE_SECONDS = 2  # ffmpeg hears that its time is over, and may go on; this is when it is killed


def enter(limits: Limits, *, parent: int) -> None:
    """Once, before any parser is imported. Ends the process if `parent` is gone."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    _limit(resource.RLIMIT_AS, limits.memory_bytes)
    _limit(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + GRACE_SECONDS)
    if sys.platform == "linux":
        _give_up_privileges()
    die_with(parent)


def die_with(parent: int) -> None:
    """However that ends. Of the calling process alone; outlives an exec, not a change of user."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(1)


def _limit(what: int, soft: int, hard: int | None = None) -> None:
    """No more than it is already."""
    ceiling = resource.getrlimit(what)[1]
    wanted = [soft, soft if hard is None else hard]
    if ceiling != resource.RLIM_INFINITY:
        wanted = [min(value, ceiling) for value in wanted]
    resource.setrlimit(what, (wanted[0], wanted[1]))


def _give_up_privileges() -> None:
    # As far as the kernel lets us: many a container forbids namespaces of one's own.
    libc = ctypes.CDLL(None)
    libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)  # no network
    libc.capset((ctypes.c_uint32 * 2)(CAPABILITIES_V3, 0), (ctypes.c_uint32 * 6)())  # no rights
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # and none to be had
