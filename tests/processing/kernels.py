"""A worker on a kernel, or in a container, that refuses more than this machine does.

What is refused is refused by the kernel, by a filter such as Docker's. It cannot be undone: call
these in a process of the test's own, first of all.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from jobs.kinds.upload.previews.syscalls import ALL, column

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
PR_SET_SECUREBITS, NOROOT_FOR_GOOD = 28, 0b11
CAPABILITIES_V3 = 0x20080522
LOAD, IS_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
# By what a kernel lacks: its calls, and how it answers them.
LACKS = {
    "user namespaces": {"unshare": errno.EPERM, "setns": errno.EPERM},  # as Docker by default
    "landlock": {"landlock_create_ruleset": errno.ENOSYS},
    "seccomp": {"seccomp": errno.ENOSYS},
}


def give_up_rights() -> None:
    """As the image's user has none: else root's processes are kept from each other by theirs.

    Also of the programs that are started from here.
    """
    LIBC.prctl(PR_SET_SECUREBITS, NOROOT_FOR_GOOD, 0, 0, 0)
    LIBC.capset((ctypes.c_uint32 * 2)(CAPABILITIES_V3, 0), (ctypes.c_uint32 * 6)())


def lack(what: str) -> None:
    answers = {ALL[name][column()]: error for name, error in LACKS[what].items()}
    program = [(LOAD, 0, 0, 0)]
    for number, error in answers.items():
        program += [(IS_EQUAL, 0, 1, number), (RETURN, 0, 0, ERRNO | error)]
    program.append((RETURN, 0, 0, ALLOW))
    code = b"".join(struct.pack("=HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code)
    packed = struct.pack("@HP", len(program), ctypes.addressof(buffer))
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if LIBC.prctl(PR_SET_SECCOMP, FILTER, ctypes.create_string_buffer(packed), 0, 0):
        raise OSError(ctypes.get_errno(), "this machine cannot play another kernel")
