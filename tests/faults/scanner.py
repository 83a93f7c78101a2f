"""A stand-in for clamd with signatures of any date. It says that every file is clean."""

from __future__ import annotations

import socketserver
import threading
from datetime import datetime
from typing import Self


class Scanner(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

    def __init__(self, signatures: datetime) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.signatures = signatures
        self.address = f"tcp://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(socketserver.StreamRequestHandler):
    server: Scanner

    def handle(self) -> None:
        command = self._until_zero()
        if command == b"zINSTREAM":
            while size := int.from_bytes(self.rfile.read(4)):
                self.rfile.read(size)
            self.wfile.write(b"stream: OK\0")
        elif command == b"zVERSION":
            self.wfile.write(f"ClamAV 1.4.3/27650/{self.server.signatures:%c}\0".encode())
        else:
            self.wfile.write(b"PONG\0")

    def _until_zero(self) -> bytes:
        command = b""
        while not command.endswith(b"\0"):
            command += self.rfile.read(1)
        return command[:-1]
