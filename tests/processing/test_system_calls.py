"""The decisions of the sandbox's seccomp filter, for both architectures."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest

from jobs.kinds.upload.previews import seccomp
from jobs.kinds.upload.previews.seccomp import Step, seccomp_program
from jobs.kinds.upload.previews.syscalls import ALL

PID = 4321
MACHINES = {"x86-64": 0, "aarch64": 1}
# The call numbers as the kernel's developers publish them (linux-libc-dev).
HEADERS = {
    "x86-64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
CLONE_THREAD, SIGCHLD, CLONE_NEWNET = 0x10000, 17, 0x40000000
F_GETFL, F_SETOWN, TCGETS, FIOSETOWN = 3, 8, 0x5401, 0x8901
ALLOWED, REFUSED = "allowed", errno.EPERM


def decision(steps: list[Step], architecture: int, number: int, arguments: list[int]) -> object:
    """Run the filter program as the kernel does. Returns its decision."""
    seen = struct.pack("=IIQ6Q", number, architecture, 0, *(arguments + [0] * 6)[:6])
    at, held = 0, 0
    while True:
        code, if_true, if_false, operand = steps[at]
        at += 1
        if code == seccomp.LOAD:
            held = struct.unpack_from("=I", seen, operand)[0]
        elif code == seccomp.RETURN:
            return _action(operand)
        else:
            tests = {
                seccomp.IS_EQUAL: held == operand,
                seccomp.IS_AT_LEAST: held >= operand,
                seccomp.HAS_A_BIT: bool(held & operand),
            }
            at += if_true if tests[code] else if_false


def _action(code: int) -> object:
    if code == seccomp.ALLOW:
        return ALLOWED
    return "killed" if code == seccomp.KILL_PROCESS else code - seccomp.ERRNO


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("ptrace", [], REFUSED),
        ("socket", [1, 1], REFUSED),
        ("bpf", [], REFUSED),
        ("truncate", [], REFUSED),
        ("vhangup", [], REFUSED),
        ("kill", [PID, 9], ALLOWED),
        ("kill", [0, 9], ALLOWED),
        ("kill", [PID + 1, 9], REFUSED),
        ("kill", [1, 9], REFUSED),
        ("kill", [2**32 - 1, 9], REFUSED),
        ("kill", [2**64 - 1, 9], REFUSED),
        ("kill", [2**32 + PID + 1, 9], REFUSED),
        ("tgkill", [PID, PID + 7, 6], ALLOWED),
        ("tgkill", [PID + 7, PID + 7, 6], REFUSED),
        ("prlimit64", [0], ALLOWED),
        ("prlimit64", [PID + 1], REFUSED),
        ("clone", [SIGCHLD], ALLOWED),
        ("clone", [CLONE_THREAD], ALLOWED),
        ("clone", [SIGCHLD | CLONE_NEWNET], REFUSED),
        ("clone", [2**40 | CLONE_NEWNET], REFUSED),
        ("clone3", [], errno.ENOSYS),
        ("fcntl", [1, F_GETFL], ALLOWED),
        ("fcntl", [1, F_SETOWN], REFUSED),
        ("ioctl", [1, TCGETS], ALLOWED),
        ("ioctl", [1, FIOSETOWN], REFUSED),
        ("ioctl", [1, 2**32 | FIOSETOWN], REFUSED),
        ("setsid", [], 0),
        ("setpgid", [], 0),
        ("landlock_create_ruleset", [], ALLOWED),
    ],
)
def test_each_call_has_its_decision(
    machine: str, name: str, arguments: list[int], expected: object
) -> None:
    column = MACHINES[machine]
    number = ALL[name][column]
    assert number is not None

    verdict = decision(
        seccomp_program(column, PID), seccomp.ARCHITECTURES[column], number, arguments
    )

    assert verdict == expected


def test_calls_of_another_architecture_kill_the_process() -> None:
    i386 = 0x40000003

    assert decision(seccomp_program(0, PID), i386, 1, []) == "killed"
    assert decision(seccomp_program(1, PID), seccomp.ARCHITECTURES[0], 1, []) == "killed"


def test_calls_of_the_x32_abi_are_refused() -> None:
    number = seccomp.X32_BIT | 1  # write

    assert decision(seccomp_program(0, PID), seccomp.ARCHITECTURES[0], number, []) == REFUSED


@pytest.mark.parametrize("machine", MACHINES)
def test_call_numbers_match_the_kernel_headers(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("this machine has no headers of the kernel")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text())
    theirs = {name: int(number) for name, number in found}

    ours = {name: numbers[MACHINES[machine]] for name, numbers in ALL.items()}

    known = theirs.keys() & ours.keys()  # the headers may be older than the newest calls
    assert {name: ours[name] for name in known} == {name: theirs[name] for name in known}
    assert len(known) > 80
