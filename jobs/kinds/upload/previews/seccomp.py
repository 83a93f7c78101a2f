"""A seccomp filter: forbids system calls to this process and its descendants.

Forbidden calls fail with EPERM; the process is not killed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from jobs.kinds.upload.previews import kernel, syscalls
from jobs.kinds.upload.previews.syscalls import LIMITED, OWN, Numbers

SET_MODE_FILTER = 1
# As container engines do: without it, older kernels slow down every process.
SPEC_ALLOW = 4
ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
REFUSE = ERRNO | errno.EPERM
LOAD, IS_EQUAL, IS_AT_LEAST, HAS_A_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16  # offsets in seccomp_data
ARCHITECTURES = (0xC000003E, 0xC00000B7)  # in the order of the columns in syscalls.py
X32_BIT = 0x40000000  # the same calls with 32-bit pointers
NAMESPACES = 0x7E020000  # CLONE_NEW…, all of them
# fcntl's F_SETOWN, F_SETSIG, F_SETOWN_EX; ioctl's FIOSETOWN, SIOCSPGRP: they have the kernel send a
# signal to any process of the same user. TIOCSTI, TIOCLINUX: they type into a terminal.
FCNTL_REFUSED, IOCTL_REFUSED = (8, 10, 15), (0x8901, 0x8902, 0x5412, 0x541C)
OF_ITSELF = [
    "kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "prlimit64",
    "sched_setscheduler", "sched_setparam", "sched_setattr", "sched_setaffinity",
]  # fmt: skip
Step = tuple[int, int, int, int]  # code, steps skipped if true, if false, operand


def is_seccomp_available() -> bool:
    """Return whether the kernel accepts seccomp filters and its call numbers are known."""
    try:
        kernel.kernel_call(_own_number(), SET_MODE_FILTER, SPEC_ALLOW, None)
    except KeyError:
        return False
    except OSError as error:
        return error.errno == errno.EFAULT  # it only complains about the missing filter
    return False


def install_seccomp() -> None:
    """Restrict the calling thread permanently. Needs PR_SET_NO_NEW_PRIVS. Raises OSError."""
    steps = seccomp_program(syscalls.syscall_column(), os.getpid())
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    packed = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    kernel.kernel_call(_own_number(), SET_MODE_FILTER, SPEC_ALLOW, packed)


def seccomp_program(column: int, pid: int) -> list[Step]:
    """Return the filter for an architecture, and for the process with this pid."""
    steps: list[Step] = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (IS_EQUAL, 1, 0, ARCHITECTURES[column]),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, NUMBER_AT),
        (IS_AT_LEAST, 0, 1, X32_BIT),
        (RETURN, 0, 0, REFUSE),
    ]
    for rule in _rules(pid):
        number = rule.numbers[column]
        if number is not None:
            steps += [(IS_EQUAL, 0, len(rule.steps), number), *rule.steps]
    return [*steps, (RETURN, 0, 0, ALLOW)]


@dataclass(frozen=True)
class _Rule:
    """`steps` always end with a RETURN."""

    numbers: Numbers
    steps: list[Step]


def _rules(pid: int) -> Iterator[_Rule]:
    for name in OF_ITSELF:
        yield _Rule(LIMITED[name], _unless(0, IS_EQUAL, [0, pid], ALLOW, otherwise=REFUSE))
    yield _Rule(LIMITED["clone"], _unless(0, HAS_A_BIT, [NAMESPACES], REFUSE))
    yield _Rule(LIMITED["fcntl"], _unless(1, IS_EQUAL, [*FCNTL_REFUSED], REFUSE))
    yield _Rule(LIMITED["ioctl"], _unless(1, IS_EQUAL, [*IOCTL_REFUSED], REFUSE))
    # clone3 has its arguments in memory, which a filter cannot read; libc falls back to clone.
    yield _Rule(LIMITED["clone3"], [(RETURN, 0, 0, ERRNO | errno.ENOSYS)])
    # Nothing leaves the process group, so that one signal ends all. A daemon believes it did.
    for name in ("setsid", "setpgid"):
        yield _Rule(LIMITED[name], [(RETURN, 0, 0, ERRNO)])
    for calls in (
        syscalls.NO_OTHER_PROCESS,
        syscalls.NO_NETWORK,
        syscalls.NO_SHARED_MEMORY,
        syscalls.NO_OTHER_FILES,
        syscalls.NO_KERNEL,
    ):
        for numbers in calls.values():
            yield _Rule(numbers, [(RETURN, 0, 0, REFUSE)])


def _unless(
    argument: int, test: int, operands: list[int], action: int, *, otherwise: int = ALLOW
) -> list[Step]:
    """`action` if an argument passes the test with one of the operands.

    Of the argument, the lower 32 bits: the kernel itself takes no more for these.
    """
    steps: list[Step] = [(LOAD, 0, 0, ARGUMENTS_AT + 8 * argument)]
    for left, operand in zip(range(len(operands), 0, -1), operands, strict=True):
        steps.append((test, left, 0, operand))
    return [*steps, (RETURN, 0, 0, otherwise), (RETURN, 0, 0, action)]


def _own_number() -> int:
    number = OWN["seccomp"][syscalls.syscall_column()]
    assert number is not None  # both machines have it
    return number
