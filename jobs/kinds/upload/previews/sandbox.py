"""The sandbox of the helper process. Linux enforces all of it, other systems a part.

docs/sandbox.md explains each layer.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from jobs.kinds.upload.previews import kernel, landlock, seccomp
from jobs.kinds.upload.previews.helper_protocol import HelperTask
from jobs.kinds.upload.previews.preview_result import PreviewLimits

LAYERS = ("seccomp", "landlock")
OPEN_FILES = 64
PROCESSES = 64
GRACE_SECONDS = 2  # after SIGXCPU, which ffmpeg may ignore; then it is killed
CODE = Path(__file__).parents[3]
PROGRAMS = ("ffmpeg", "ffprobe")
# Where systems keep programs and libraries. Of /etc and /proc, what these look at.
RUN = [
    "/bin", "/lib", "/lib32", "/lib64", "/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64",
    "/usr/libexec", "/usr/local/bin", "/usr/local/lib", "/usr/local/lib64", "/nix/store",
    "/gnu/store",
]  # fmt: skip
READ = [
    "/usr/share", "/usr/local/share", "/etc/fonts", "/etc/ld.so.cache", "/etc/ld.so.preload",
    "/etc/localtime", "/etc/ssl/openssl.cnf", "/dev/random", "/dev/urandom", "/dev/zero",
    "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu",
]  # fmt: skip


def missing_sandbox_layers() -> list[str]:
    """Return the LAYERS that this machine lacks."""
    if sys.platform != "linux":
        return [*LAYERS]
    available = {
        "seccomp": seccomp.is_seccomp_available(),
        "landlock": landlock.landlock_version() > 0,
    }
    return [layer for layer in LAYERS if not available[layer]]


def enter_sandbox(task: HelperTask) -> None:
    """Enter the sandbox. Call it once, before a parser is imported. Raises OSError.

    Skips layers that this machine lacks: a check at the start of the worker decides whether that is
    acceptable.
    """
    _set_limits(task.limits)
    if sys.platform == "linux":
        missing = missing_sandbox_layers()
        if kernel.leave_kernel_namespaces():
            # Only in a namespace: otherwise processes of the worker are counted, too.
            _limit(resource.RLIMIT_NPROC, PROCESSES)
        kernel.drop_kernel_capabilities()
        kernel.kernel_prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        if "landlock" not in missing:
            landlock.restrict_with_landlock(_rules(task))
        if "seccomp" not in missing:
            seccomp.install_seccomp()


def end_sandbox_with(parent: int, death: signal.Signals = signal.SIGKILL) -> None:
    """Die when the parent ends, for any reason. Kept across exec, but not across setuid."""
    if sys.platform == "linux":
        kernel.kernel_prctl(kernel.PR_SET_PDEATHSIG, death)
    if os.getppid() != parent:
        os._exit(1)


def adopt_sandbox_orphans() -> None:
    """Make this process the subreaper of its descendants, and hide its memory from them."""
    if sys.platform == "linux":
        kernel.kernel_prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        kernel.kernel_prctl(kernel.PR_SET_DUMPABLE, 0)


def _set_limits(limits: PreviewLimits) -> None:
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    _limit(resource.RLIMIT_AS, limits.memory_bytes)
    _limit(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + GRACE_SECONDS)


def _limit(what: int, soft: int, hard: int | None = None) -> None:
    """Set the limit, but never above the current hard limit."""
    ceiling = resource.getrlimit(what)[1]
    values = [soft, soft if hard is None else hard]
    if ceiling != resource.RLIM_INFINITY:
        values = [min(value, ceiling) for value in values]
    resource.setrlimit(what, (values[0], values[1]))


def _rules(task: HelperTask) -> Iterator[tuple[Path, int]]:
    """Yield the paths that may be used, with the rights for each."""
    yield Path(task.folder), landlock.WRITE
    yield Path(task.source), landlock.READ
    yield CODE, landlock.READ
    yield Path("/dev/null"), landlock.READ | landlock.WRITE_FILE
    for path in map(Path, RUN):
        yield path, landlock.RUN
    for path in map(Path, READ):
        yield path, landlock.READ
    for path in _libraries():
        yield path, landlock.READ
    for program in filter(None, map(shutil.which, PROGRAMS)):
        found = Path(program).resolve()
        yield found, landlock.RUN
        yield found.parent.parent / "lib", landlock.READ
    yield _own_status(), landlock.READ


def _libraries() -> set[Path]:
    """Return Python's library folders, but not the project's own, which may hold .env."""
    return {Path(sys.base_prefix, "lib"), *map(Path, sys.path)} - {CODE.parent, Path()}


def _own_status() -> Path:
    """Return /proc/self/status, held open: the rule is for this inode, which must not be freed."""
    held = os.open("/proc/self/status", os.O_PATH)
    return Path(f"/proc/self/fd/{held}")
