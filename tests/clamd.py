"""Run clamd with the signature of EICAR only. As a program, install clamd if possible."""

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
from jobs.lib import scanner as clamd

IS_REQUIRED = "REQUIRE_CLAMD"  # set in .ci/run, where tests must not be skipped
SYSTEM_PROGRAMS = "/usr/sbin"  # Debian's folder of clamd, often not in PATH
# Joined on use, so that scanners do not report these sources or their compiled files.
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
    """Return the EICAR test file, which every virus scanner detects."""
    return b"".join(PIECES)


class Clamd:
    """A clamd that runs in a folder, as the current user. A restart keeps its `address`."""

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
        self._process.wait_until(lambda: clamd.ping_scanner(self.address, seconds=1))

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
    """Yield the address of a fake clamd that calls `behave` for one connection and closes it."""

    def run() -> None:
        with suppress(OSError), listener.accept()[0] as line:
            behave(line)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    thread.join(5)


def answers(answer: bytes) -> Behaviour:
    """Return a behaviour that sends the answer after the complete request."""

    def behave(line: socket.socket) -> None:
        seen = b""
        while not seen.endswith(bytes(4)):
            seen = seen[-4:] + line.recv(65536)
        line.sendall(answer)

    return behave


def cuts_in(answer: bytes) -> Behaviour:
    """Return a behaviour that sends the answer after the first byte."""

    def behave(line: socket.socket) -> None:
        line.recv(1)
        line.sendall(answer)

    return behave


def cuts_in_and_listens(answer: bytes) -> Behaviour:
    """Return a behaviour that sends the answer after the first byte, and reads the rest."""

    def behave(line: socket.socket) -> None:
        cuts_in(answer)(line)
        while line.recv(65536):
            pass

    return behave


def path() -> str:
    """Return the path of clamd. Without it, skip the test, or fail if REQUIRE_CLAMD is set."""
    if not (found := _find()):
        give_up = pytest.fail if os.environ.get(IS_REQUIRED) else pytest.skip
        give_up("clamd is not installed")
    return found


def main() -> None:
    if not _find() and not install("clamav-daemon"):
        print("The virus tests are skipped without clamd. Install Debian's clamav-daemon.")


def _find() -> str:
    return shutil.which("clamd") or shutil.which("clamd", path=SYSTEM_PROGRAMS) or ""


if __name__ == "__main__":
    main()
