"""Children that end with the process that started them, however it ends (on Linux)."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from jobs.lib.process_memory import die_with_parent


class StackError(Exception):
    """A server cannot start. Its text is one sentence for people."""


@dataclass
class Process:
    """A restartable child process that ends with its parent."""

    name: str
    command: Sequence[str | Path]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    become: Callable[[], None] | None = None  # run in the child before the program
    popen: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        # From the main thread only: the kernel watches the thread that forks, not the process.
        parent = os.getpid()

        def in_child() -> None:
            if self.become:
                self.become()
            die_with_parent(self.orphan_signal)  # after the change of user, which would undo it
            if os.getppid() != parent:
                os._exit(1)

        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [str(part) for part in self.command],
                env=os.environ | self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=in_child,
            )

    @property
    def is_alive(self) -> bool:
        return self.popen.poll() is None

    def wait_until(self, ready: Callable[[], object], seconds: float = 40) -> None:
        """Wait until `ready` succeeds. Raises StackError with the end of the log otherwise."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                ready()
                return
            except Exception as error:
                if not self.is_alive or time.monotonic() > deadline:
                    tail = "".join(self.log.read_text(errors="replace").splitlines(True)[-8:])
                    raise StackError(f"{self.name} did not start: {error}\n{tail}") from error
            time.sleep(0.05)

    def ask_to_stop(self) -> None:
        if self.is_alive:
            self.popen.send_signal(self.stop_signal)

    def end(self, seconds: float) -> None:
        """Wait for it to stop, then kill what is left of its process group."""
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(seconds)
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
