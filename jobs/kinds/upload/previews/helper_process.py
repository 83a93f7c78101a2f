"""A helper process and the thread that keeps it: starts it, hears it, and buries it.

A thread, because a signal's handler may raise in the main thread at any moment, also while a
process is being started there: nobody would know its number. It is killed when this thread ends.
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
from jobs.kinds.upload.previews import protocol
from jobs.kinds.upload.previews.outcome import Limits, Outcome
from jobs.kinds.upload.previews.preview_types import Maker
from jobs.kinds.upload.previews.protocol import TOO_MUCH, Garbled, Ready, Said, Task
from jobs.kinds.upload.previews.supervisor import SIGNALLED
from jobs.lib.mailbox import Mailbox

HELPER = "jobs.kinds.upload.previews.helper"
ROOT = Path(__file__).parents[4]
TICK_SECONDS = 0.02  # how late it is noticed that nobody wants the helper any more
ENDS_SECONDS = 0.001  # an ended process' pipes are closed a moment before it can be waited for
BURIED_SECONDS = 5
ENDED_SECONDS = 3
CHUNK_BYTES = 64 * 1024
TRACE_BYTES = 4_000  # of what the helper complained of last, for operators
TOO_LONG = "Reading the file takes too long: it is too complex or damaged."
BROKE_DOWN = "The program that reads such files crashed."
ON_OUR_SIDE = "Something went wrong on our side."


class HelperFailed(Exception):
    """How the helper ended, and its last words: for operators."""


class Keeper:
    """`told` hears Said, and last an Outcome or what is to be raised."""

    def __init__(
        self, source: Path, content_type: str, folder: Path, maker: Maker, limits: Limits
    ) -> None:
        self.told: Mailbox[Said | Outcome | BaseException] = Mailbox()
        self._folder = folder
        self._maker = maker
        self._limits = limits
        paths = str(source.absolute()), content_type, str(folder.absolute())
        self._task = Task(*paths, limits, parent=os.getpid())
        self._is_unwanted = False
        self._thread = threading.Thread(target=self._run, name="helper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The helper, and what it started, are killed and reaped when this returns. Any time."""
        self._is_unwanted = True
        with suppress(RuntimeError):  # a signal came before the thread began; it sees the flag
            self._thread.join(BURIED_SECONDS)

    def _run(self) -> None:
        try:
            self.told.put(self._keep())
        except BaseException as error:
            self.told.put(error)

    def _keep(self) -> Outcome:
        with tempfile.TemporaryFile(dir=self._folder) as complaints:
            hearing = _Hearing(self.told, self._maker, self._folder)
            before = _bytes_in(self._folder)
            with self._started(complaints) as helper:
                try:
                    self._watch(helper, hearing, before)
                except (Garbled, FileTooComplex) as error:
                    hearing.verdict = error
                finally:
                    status = _bury(helper)
            return self._judged(hearing, status, complaints)

    def _started(self, complaints: IO[bytes]) -> subprocess.Popen[bytes]:
        folder = self._task.folder
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-s", "-m", HELPER, self._task.written()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            bufsize=0,
            cwd=folder,
            # All of it: no secret of ours.
            env={
                "PATH": os.pathsep.join(os.get_exec_path()),
                "PYTHONPATH": str(ROOT),
                "LANG": "C.UTF-8",
                "HOME": folder,
                "TMPDIR": folder,
            },
            start_new_session=True,
        )

    def _watch(self, helper: subprocess.Popen[bytes], hearing: _Hearing, before: int) -> None:
        """Until it ends or nobody wants it. Raises Garbled, and FileTooComplex for its time."""
        ends = time.monotonic() + self._limits.wall_seconds
        assert helper.stdout  # asked for
        os.set_blocking(helper.stdout.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(helper.stdout, selectors.EVENT_READ)
            while not self._is_unwanted:
                is_over = _has_ended(helper)  # before the last look: then all was said
                for key, _ in selector.select(0 if is_over else TICK_SECONDS):
                    if not hearing.read(key.fd):
                        selector.unregister(key.fileobj)
                        time.sleep(ENDS_SECONDS)
                if is_over and not selector.select(0):
                    return
                if time.monotonic() > ends:
                    raise FileTooComplex(TOO_LONG)
                if _bytes_in(self._folder) - before > self._limits.file_bytes:
                    raise FileTooComplex(TOO_MUCH)

    def _judged(self, hearing: _Hearing, status: int, complaints: IO[bytes]) -> Outcome:
        verdict = hearing.verdict
        try:
            if isinstance(verdict, Outcome) and status == 0:
                protocol.check_files(verdict, self._limits)
                return verdict
        except Garbled as error:
            verdict = error
        # Its last words do not go to the owner: they name paths of this machine.
        cause = HelperFailed(f"{verdict!r}, exit status {status}\n{_end_of(complaints)}")
        raise _refusal(hearing, verdict, status) from cause


def _refusal(hearing: _Hearing, verdict: object, status: int) -> BuildError:
    if isinstance(verdict, ProcessingError):
        return verdict
    if status == SIGNALLED + signal.SIGXCPU:
        return FileTooComplex(TOO_LONG)
    if hearing.was_ready:
        return FileTooComplex(BROKE_DOWN)
    return Unexpected(ON_OUR_SIDE)  # it never came to the file


class _Hearing:
    """What the helper says, as it comes in."""

    def __init__(
        self, told: Mailbox[Said | Outcome | BaseException], maker: Maker, folder: Path
    ) -> None:
        self.was_ready = False
        self.verdict: Outcome | Exception | None = None
        self._told = told
        self._maker = maker
        self._folder = folder
        self._rest = b""
        self._bytes = 0

    def read(self, pipe: int) -> bool:
        """Whether there may be more. Raises Garbled."""
        chunk = os.read(pipe, CHUNK_BYTES)
        self._bytes += len(chunk)
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            self._hear(line)
        if self._bytes > protocol.MAX_BYTES or len(self._rest) > protocol.MAX_LINE_BYTES:
            raise Garbled("too much is said")
        return bool(chunk)

    def _hear(self, line: bytes) -> None:
        if self.verdict or len(line) > protocol.MAX_LINE_BYTES:
            raise Garbled("too much is said")
        told = protocol.heard(line, self._maker, self._folder)
        if isinstance(told, Said):
            self._told.put(told)
        elif isinstance(told, Ready):
            self.was_ready = True
        else:
            self.verdict = told


def _has_ended(helper: subprocess.Popen[bytes]) -> bool:
    """Leaves it to be reaped: while it is not, its number is nobody else's."""
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, helper.pid, flags) is not None


def _bury(helper: subprocess.Popen[bytes]) -> int:
    """Stop the helper with all its descendants, reap it, and return its exit status."""
    helper.terminate()
    try:
        return helper.wait(ENDED_SECONDS)
    except subprocess.TimeoutExpired:
        helper.kill()  # the reader ends with it
        return helper.wait()


def _bytes_in(folder: Path) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # gone meanwhile
                total += os.lstat(os.path.join(path, name)).st_size
    return total


def _end_of(complaints: IO[bytes]) -> str:
    complaints.seek(max(complaints.seek(0, os.SEEK_END) - TRACE_BYTES, 0))
    return complaints.read().decode(errors="replace")
