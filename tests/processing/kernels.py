"""A kernel or container with more restrictions than this machine.

A seccomp filter, such as Docker's, makes the restrictions. They cannot be removed: call these
functions in a separate process, before anything else.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from jobs.kinds.upload.previews.syscalls import ALL, syscall_column

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
PR_SET_SECUREBITS, NOROOT_FOR_GOOD = 28, 0b11
CAPABILITIES_V3 = 0x20080522
LOAD, IS_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
# The calls that a kernel without a feature refuses, and their errors.
LACKS = {
    "user namespaces": {"unshare": errno.EPERM, "setns": errno.EPERM},  # as Docker does by default
    "landlock": {"landlock_create_ruleset": errno.ENOSYS},
    "seccomp": {"seccomp": errno.ENOSYS},
}


def drop_capabilities() -> None:
    """Drop all capabilities, as the image's user has none.

    Root's processes could otherwise not reach one another because of them. Applies to child
    processes, too.
    """
    LIBC.prctl(PR_SET_SECUREBITS, NOROOT_FOR_GOOD, 0, 0, 0)
    LIBC.capset((ctypes.c_uint32 * 2)(CAPABILITIES_V3, 0), (ctypes.c_uint32 * 6)())


def lack(what: str) -> None:
    answers = {ALL[name][syscall_column()]: error for name, error in LACKS[what].items()}
    program = [(LOAD, 0, 0, 0)]
    for number, error in answers.items():
        program += [(IS_EQUAL, 0, 1, number), (RETURN, 0, 0, ERRNO | error)]
    program.append((RETURN, 0, 0, ALLOW))
    code = b"".join(struct.pack("=HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code)
    packed = struct.pack("@HP", len(program), ctypes.addressof(buffer))
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if LIBC.prctl(PR_SET_SECCOMP, FILTER, ctypes.create_string_buffer(packed), 0, 0):
        raise OSError(ctypes.get_errno(), "this machine cannot simulate another kernel")
