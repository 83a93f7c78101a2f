"""System calls that Python has no function for. Linux only."""

from __future__ import annotations

import ctypes
import os
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
CAPABILITIES_V3 = 0x20080522


def kernel_call(number: int, *arguments: Any) -> int:
    """Make the call. Raises OSError."""
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    done = int(_libc.syscall(ctypes.c_long(number), *words))
    if done < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return done


def kernel_prctl(option: int, value: int) -> None:
    """Make the call. Raises OSError."""
    if _libc.prctl(option, ctypes.c_ulong(value), *[ctypes.c_ulong(0)] * 3):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def leave_kernel_namespaces() -> bool:
    """Enter a new user and network namespace. Returns False if that is forbidden."""
    return not _libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)


def drop_kernel_capabilities() -> None:
    _libc.capset((ctypes.c_uint32 * 2)(CAPABILITIES_V3, 0), (ctypes.c_uint32 * 6)())
