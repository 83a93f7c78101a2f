"""Ask the kernel to end a process when the one that started it is gone (Linux; else nothing)."""

from __future__ import annotations

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(death: signal.Signals = signal.SIGKILL) -> None:
    """Covers the calling process only, not its children; a change of user undoes it."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(death))
