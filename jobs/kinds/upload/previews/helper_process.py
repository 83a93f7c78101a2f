"""Runs a helper process in a thread: starts it, reads its output, stops it.

A thread, because a signal handler may raise in the main thread at any moment, also between the
start of a process and the assignment of its pid. The process is killed when the thread ends.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from jobs.errors import BuildError, FileTooComplex, ProcessingError, Unexpected
from jobs.kinds.upload.previews import helper_protocol
from jobs.kinds.upload.previews.helper_output import HelperOutputReader
from jobs.kinds.upload.previews.helper_protocol import TOO_MUCH, HelperTask, Progress, ProtocolError
from jobs.kinds.upload.previews.preview_result import PreviewLimits, PreviewResult
from jobs.kinds.upload.previews.preview_types import PreviewType
from jobs.kinds.upload.previews.supervisor import SIGNALLED
from jobs.lib.mailbox import Mailbox

HELPER = "jobs.kinds.upload.previews.helper"
ROOT = Path(__file__).parents[4]
TICK_SECONDS = 0.02  # how late `stop` is noticed
ENDS_SECONDS = 0.001  # a process' pipes are closed a moment before it can be waited for
JOIN_SECONDS = 5
TERMINATE_SECONDS = 3
TRACE_BYTES = 4_000  # of the end of stderr, for operators
TOO_LONG = "Reading the file takes too long: it is too complex or damaged."
BROKE_DOWN = "The program that reads such files crashed."
ON_OUR_SIDE = "Something went wrong on our side."


class HelperFailed(Exception):
    """The exit status and the end of stderr of the helper, for operators."""


class HelperProcess:
    """`events` receives Progress, and at last a PreviewResult or the exception to raise."""

    def __init__(
        self,
        source: Path,
        content_type: str,
        folder: Path,
        preview_type: PreviewType,
        limits: PreviewLimits,
    ) -> None:
        self.events: Mailbox[Progress | PreviewResult | BaseException] = Mailbox()
        self._folder = folder
        self._preview_type = preview_type
        self._limits = limits
        paths = str(source.absolute()), content_type, str(folder.absolute())
        self._task = HelperTask(*paths, limits, parent=os.getpid())
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="helper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Kill and reap the helper and its descendants. May be called at any time."""
        self._is_stopped = True
        with suppress(RuntimeError):  # a signal before the thread began; it sees the flag
            self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        try:
            self.events.put(self._run_helper())
        except BaseException as error:
            self.events.put(error)

    def _run_helper(self) -> PreviewResult:
        with tempfile.TemporaryFile(dir=self._folder) as stderr:
            reader = HelperOutputReader(self.events, self._preview_type, self._folder)
            before = _bytes_in(self._folder)
            with self._start_process(stderr) as helper:
                try:
                    self._watch(helper, reader, before)
                except (ProtocolError, FileTooComplex) as error:
                    reader.result = error
                finally:
                    status = _terminate(helper)
            return self._checked_result(reader, status, stderr)

    def _start_process(self, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
        folder = self._task.folder
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-s", "-m", HELPER, self._task.to_json()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
            cwd=folder,
            # The whole environment: no secrets of the worker.
            env={
                "PATH": os.pathsep.join(os.get_exec_path()),
                "PYTHONPATH": str(ROOT),
                "LANG": "C.UTF-8",
                "HOME": folder,
                "TMPDIR": folder,
            },
            start_new_session=True,
        )

    def _watch(
        self, helper: subprocess.Popen[bytes], reader: HelperOutputReader, before: int
    ) -> None:
        """Read output until the helper ends or is stopped. Raises ProtocolError, FileTooComplex."""
        ends = time.monotonic() + self._limits.wall_seconds
        assert helper.stdout  # a pipe
        os.set_blocking(helper.stdout.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(helper.stdout, selectors.EVENT_READ)
            while not self._is_stopped:
                is_over = _has_ended(helper)  # before the last read, which then gets everything
                for key, _ in selector.select(0 if is_over else TICK_SECONDS):
                    if not reader.read(key.fd):
                        selector.unregister(key.fileobj)
                        time.sleep(ENDS_SECONDS)
                if is_over and not selector.select(0):
                    return
                if time.monotonic() > ends:
                    raise FileTooComplex(TOO_LONG)
                if _bytes_in(self._folder) - before > self._limits.file_bytes:
                    raise FileTooComplex(TOO_MUCH)

    def _checked_result(
        self, reader: HelperOutputReader, status: int, stderr: IO[bytes]
    ) -> PreviewResult:
        """Return the result if its files are valid. Raises a BuildError."""
        result = reader.result
        try:
            if isinstance(result, PreviewResult) and status == 0:
                helper_protocol.check_helper_files(result, self._limits)
                return result
        except ProtocolError as error:
            result = error
        # Not for the owner: stderr has paths of this machine.
        cause = HelperFailed(f"{result!r}, exit status {status}\n{_end_of(stderr)}")
        raise _error(reader, result, status) from cause


def _error(reader: HelperOutputReader, result: object, status: int) -> BuildError:
    if isinstance(result, ProcessingError):
        return result
    if status == SIGNALLED + signal.SIGXCPU:
        return FileTooComplex(TOO_LONG)
    if reader.was_ready:
        return FileTooComplex(BROKE_DOWN)
    return Unexpected(ON_OUR_SIDE)  # it failed before it read the file


def _has_ended(helper: subprocess.Popen[bytes]) -> bool:
    """Return True if the helper has ended, without reaping it: its pid stays reserved."""
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, helper.pid, flags) is not None


def _terminate(helper: subprocess.Popen[bytes]) -> int:
    """Stop the helper with all its descendants, reap it, and return its exit status."""
    helper.terminate()
    try:
        return helper.wait(TERMINATE_SECONDS)
    except subprocess.TimeoutExpired:
        helper.kill()  # the reader ends with it
        return helper.wait()


def _bytes_in(folder: Path) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # deleted meanwhile
                total += os.lstat(os.path.join(path, name)).st_size
    return total


def _end_of(stderr: IO[bytes]) -> str:
    stderr.seek(max(stderr.seek(0, os.SEEK_END) - TRACE_BYTES, 0))
    return stderr.read().decode(errors="replace")
