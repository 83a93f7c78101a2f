"""Landlock: restricts the files that this process and its descendants may use. Linux 5.13.

What it does not restrict at all (modes, owners, times), or not on older kernels (cutting a file
short, signals), seccomp.py refuses.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from jobs.kinds.upload.previews import kernel
from jobs.kinds.upload.previews.syscalls import OWN, syscall_column

VERSION = 1  # flag: return the version instead of a ruleset
PATH_BENEATH = 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
READ = READ_FILE | READ_DIR
RUN = READ | EXECUTE
WRITE = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER | TRUNCATE
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
FILES_1 = (1 << 13) - 1  # all rights of version 1
TCP = 0b11  # to bind, and to connect
SCOPES = 0b11  # abstract sockets, and signals to processes outside


def landlock_version() -> int:
    """Return the kernel's Landlock version; 0 if it is missing, disabled or forbidden."""
    try:
        return kernel.kernel_call(_number("create_ruleset"), None, 0, VERSION)
    except (OSError, KeyError):
        return 0


def restrict_with_landlock(rules: Iterable[tuple[Path, int]]) -> None:
    """Allow only what is beneath these paths, each with its rights.

    Paths that do not exist, or cannot be reached anyhow, are left out. Raises OSError.
    """
    abi = landlock_version()
    known = FILES_1 | sum(right for right, since in _SINCE.items() if abi >= since)
    # In the order of their versions; an older kernel refuses what is longer than it knows.
    parts = [known, TCP, SCOPES][: 1 + (abi >= 4) + (abi >= 6)]
    attributes = ctypes.create_string_buffer(struct.pack(f"={len(parts)}Q", *parts))
    size = 8 * len(parts)
    ruleset = kernel.kernel_call(_number("create_ruleset"), attributes, size, 0)
    try:
        for path, rights in rules:
            with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                _allow(ruleset, path, rights & known)
        kernel.kernel_call(_number("restrict_self"), ruleset, 0)
    finally:
        os.close(ruleset)


_SINCE = {REFER: 2, TRUNCATE: 3, IOCTL_DEV: 5}


def _allow(ruleset: int, path: Path, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= OF_A_FILE
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, place))
        kernel.kernel_call(_number("add_rule"), ruleset, PATH_BENEATH, rule, 0)
    finally:
        os.close(place)


def _number(name: str) -> int:
    number = OWN[f"landlock_{name}"][syscall_column()]
    assert number is not None  # it is the same on every machine
    return number
