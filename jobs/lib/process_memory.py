"""What a process does about its memory and its end, on Linux: hide secrets, end with its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4
# Passwords that only `manage.py seed_demo` uses.
UNNEEDED = ("DEMO_PASSWORD", "OPERATOR_PASSWORD")
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(death: signal.Signals = signal.SIGKILL) -> None:
    """Kill the calling process when its parent ends. Not inherited; setuid undoes it."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(death))


def hide_process_memory() -> None:
    """Keep processes of the same user from reading this one's environment and memory.

    Of the calling process and of those that it forks; a new program starts without.
    """
    if _libc is not None:
        _libc.prctl(PR_SET_DUMPABLE, 0)


def hide_process_secrets() -> None:
    """Hide this process's memory and remove secrets that services do not need. Call it first."""
    hide_process_memory()
    for name in UNNEEDED:
        forget_process_variable(name)


def forget_process_variable(name: str) -> None:
    """Remove the variable, and overwrite its text, which /proc and core dumps show."""
    if _libc is not None:
        _libc.getenv.restype = ctypes.c_void_p
        if place := _libc.getenv(os.fsencode(name)):
            ctypes.memset(place, 0, len(ctypes.string_at(place)))
    os.environ.pop(name, None)
