"""The real clamd, with one signature: EICAR's. As a program, gets the machine one if it can."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from deploy.debian import install
from downloads_project.local.ports import free_ports
from downloads_project.processes import Process
from jobs import scanner as clamd

IS_REQUIRED = "REQUIRE_CLAMD"  # set where a test that is skipped would be a hole, as in .ci/run
SYSTEM_PROGRAMS = "/usr/sbin"  # Debian has it there, where few people's PATH leads
# Joined when it is needed: a scanner that looks at these sources, or at what Python compiles of
# them, shall find nothing.
PIECES = [rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$", b"EICAR-STANDARD-", b"ANTIVIRUS-TEST-FILE!$H+H*"]
SIGNATURE = "Eicar-Test-Signature"
MAX_BYTES = 200_000_000
CONFIGURATION = """\
Foreground yes
DatabaseDirectory {folder}/signatures
TemporaryDirectory {folder}
LocalSocket {folder}/socket
TCPSocket {port}
TCPAddr 127.0.0.1
StreamMaxLength {max_bytes}
MaxFileSize {max_scanned_bytes}
MaxScanSize {max_scanned_bytes}
AlertExceedsMax yes
"""


def eicar() -> bytes:
    """What every virus scanner is tested with."""
    return b"".join(PIECES)


class Clamd:
    """One that runs in a folder, as whoever runs the tests. Its `address` stays the same."""

    def __init__(
        self, folder: Path, *, max_bytes: int = MAX_BYTES, max_scanned_bytes: int = MAX_BYTES
    ) -> None:
        self.port = next(free_ports(str(folder)))
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.socket_address = f"unix://{folder}/socket"
        (folder / "signatures").mkdir()
        (folder / "signatures/eicar.ndb").write_text(f"{SIGNATURE}:0:*:{eicar().hex()}\n")
        configuration = folder / "clamd.conf"
        configuration.write_text(
            CONFIGURATION.format(
                folder=folder,
                port=self.port,
                max_bytes=max_bytes,
                max_scanned_bytes=max_scanned_bytes,
            )
        )
        self._process = Process(
            "clamd", [path(), "--config-file", configuration], folder / "clamd.log"
        )

    def start(self) -> None:
        self._process.start()
        self._process.wait_until(lambda: clamd.ping(self.address, seconds=1))

    def freeze(self) -> None:
        self._process.popen.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.popen.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.popen.kill()
        self._process.popen.wait()

    def stop(self) -> None:
        self.thaw()
        self._process.ask_to_stop()
        self._process.end(5)


Behaviour = Callable[[socket.socket], None]


@contextmanager
def pretender(behave: Behaviour) -> Iterator[str]:
    """The address of what is no clamd: behaves so to the first who connects, and hangs up."""

    def run() -> None:
        with suppress(OSError), listener.accept()[0] as line:
            behave(line)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    thread.join(5)


def answers(answer: bytes) -> Behaviour:
    """To all that is told, once it is told."""

    def behave(line: socket.socket) -> None:
        seen = b""
        while not seen.endswith(bytes(4)):
            seen = seen[-4:] + line.recv(65536)
        line.sendall(answer)

    return behave


def cuts_in(answer: bytes) -> Behaviour:
    """Says it as soon as it is told anything."""

    def behave(line: socket.socket) -> None:
        line.recv(1)
        line.sendall(answer)

    return behave


def cuts_in_and_listens(answer: bytes) -> Behaviour:
    """As if it had not spoken."""

    def behave(line: socket.socket) -> None:
        cuts_in(answer)(line)
        while line.recv(65536):
            pass

    return behave


def path() -> str:
    """Where the program is. Without it the test is skipped, or fails where one is required."""
    if not (found := _find()):
        give_up = pytest.fail if os.environ.get(IS_REQUIRED) else pytest.skip
        give_up("no clamd on this machine")
    return found


def main() -> None:
    if not _find() and not install("clamav-daemon"):
        print("Without clamd the virus tests are skipped: install Debian's clamav-daemon.")


def _find() -> str:
    return shutil.which("clamd") or shutil.which("clamd", path=SYSTEM_PROGRAMS) or ""


if __name__ == "__main__":
    main()
