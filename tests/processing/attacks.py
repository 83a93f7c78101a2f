"""Attacks by code that has taken over a helper process.

Each takes one text (a path, a port or a process id) and raises OSError if it is refused.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from jobs.kinds.upload.previews.syscalls import ALL, syscall_column

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE = 0x4206
PRIO_USER = 2
FIOSETOWN = 0x8901
CLONE_NEWUSER = 0x10000000
SIGCHLD = 17


def system_call(name: str, *arguments: int) -> int:
    number = ALL[name][syscall_column()]
    done = LIBC.syscall(*(ctypes.c_long(each) for each in (number, *arguments)))
    if done == -1:
        raise OSError(ctypes.get_errno(), name)
    return int(done)


def reads_environment(pid: str) -> bytes:
    return Path(f"/proc/{_number(pid)}/environ").read_bytes()


def reads_memory(pid: str) -> bytes:
    """Read the stack, which holds the environment."""
    pid = _number(pid)
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    start = int(next(line for line in maps if "[stack]" in line).partition("-")[0], 16)
    with open(f"/proc/{pid}/mem", "rb") as memory:
        memory.seek(start)
        return memory.read(64)


def reads_memory_by_system_call(pid: str) -> int:
    there = ctypes.create_string_buffer(8)
    place = struct.pack("@PN", ctypes.addressof(there), 8)
    spot = ctypes.create_string_buffer(place)
    at = ctypes.addressof(spot)
    # The kernel checks permission first: EFAULT for a wrong address would mean it was granted.
    return system_call("process_vm_readv", int(_number(pid)), at, 1, at, 1, 0)


def traces(pid: str) -> int:
    return system_call("ptrace", PTRACE_SEIZE, int(_number(pid)), 0, 0)


def connects(port: str) -> None:
    socket.create_connection(("127.0.0.1", int(port)), 3).close()


def sends_a_datagram(port: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        return line.sendto(b"secret", ("127.0.0.1", int(port)))


def connects_to_a_unix_socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)


def sends_over_a_socketpair(path: str) -> int:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        return one.sendto(b"secret", path)


def lists_networks(_: str) -> list[str]:
    return [name for _, name in socket.if_nameindex()]


def reads(path: str) -> bytes:
    return Path(path).read_bytes()


def lists(path: str) -> list[str]:
    return os.listdir(path)


def writes(path: str) -> int:
    return Path(path).write_text("mine")


def appends_in_a_child(path: str) -> str:
    done = subprocess.run(["sh", "-c", f"echo mine >> {path}"], capture_output=True, text=True)
    if done.returncode:
        raise PermissionError(13, done.stderr)
    return done.stdout


def creates_a_file_next_to(path: str) -> int:
    return Path(path).with_name("mine").write_text("mine")


def truncates(path: str) -> None:
    os.truncate(path, 0)


def removes(path: str) -> None:
    os.unlink(path)


def renames(path: str) -> None:
    os.rename(path, "mine")


def reads_through_a_symlink(path: str) -> bytes:
    os.symlink(path, "mine")
    return Path("mine").read_bytes()


def makes_accessible_to_all(path: str) -> None:
    os.chmod(path, 0o777)


def changes_its_times(path: str) -> None:
    os.utime(path, (0, 0))


def runs_its_own_program(_: str) -> bytes:
    program = Path("program")
    program.write_bytes(Path("/bin/sh").read_bytes())
    program.chmod(0o700)
    return subprocess.run([program.absolute(), "-c", "echo ran"], stdout=subprocess.PIPE).stdout


def signals(pid: str) -> None:
    os.kill(int(pid), 0)


def signals_all(_: str) -> None:
    os.kill(-1, 0)


def signals_its_thread(pid: str) -> int:
    return system_call("tgkill", int(pid), int(pid), 0)


def requests_a_signal(pid: str) -> int:
    one, _ = os.pipe()
    return fcntl.fcntl(one, fcntl.F_SETOWN, int(pid))


def requests_a_signal_from_a_device(pid: str) -> int:
    one, _ = os.pipe()
    return len(fcntl.ioctl(one, FIOSETOWN, struct.pack("i", int(pid))))


def sets_limits(pid: str) -> object:
    return resource.prlimit(int(pid), resource.RLIMIT_CORE, (0, 0))


def slows_down_all(_: str) -> None:
    os.setpriority(PRIO_USER, 0, 19)


def moves_to_a_processor(pid: str) -> None:
    os.sched_setaffinity(int(pid), {0})


def makes_a_namespace(_: str) -> int:
    return system_call("unshare", CLONE_NEWUSER)


def starts_in_a_namespace(_: str) -> int:
    child = system_call("clone", CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)
    if not child:
        os._exit(0)
    return child


def makes_calls(names: str) -> dict[str, str]:
    """Make each call with invalid arguments: anything but EPERM means that the filter allows it."""
    answers = {}
    for name in names.split():
        try:
            answers[name] = str(system_call(name, *[-1] * 6))
        except OSError as error:
            answers[name] = errno.errorcode[error.errno or 0]
    return answers


def shares_memory(_: str) -> int:
    return system_call("shmget", 0, 4096, 0o1600)


def leaves_a_daemon(seconds: str) -> str:
    """Start a daemon: two forks and a session of its own."""
    if not os.fork():
        os.setsid()
        if not os.fork():
            _run_for(seconds)
        os._exit(0)
    os.wait()
    return "left"


def leaves_a_group(seconds: str) -> str:
    if not os.fork():
        os.setpgid(0, 0)
        _run_for(seconds)
    return "left"


def leaves_processes_that_keep_forking(seconds: str) -> str:
    """Fork on and on: each process ends at once, and nobody knows the id of the next."""
    if not os.fork():
        os.setsid()
        sys.stdout.close()
        for _ in range(20_000):
            if os.fork():
                os._exit(0)
        _run_for(seconds)
    return "left"


def _number(pid: str) -> str:
    return str(os.getppid()) if pid == "parent" else pid


def _run_for(seconds: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.execvp("sleep", ["sleep", seconds])


ATTACKS: dict[str, Callable[[str], object]] = {
    name: each
    for name, each in list(globals().items())
    if callable(each) and getattr(each, "__module__", "") == __name__ and not name.startswith("_")
}
