"""Scan files for viruses with clamd, by its command INSTREAM.

Fails closed: a file is clean only if clamd says so after the last byte.
"""

from __future__ import annotations

import re
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from django.conf import settings

from jobs.errors import Infected, NotScannable, ScannerUnavailable

OFF = "off"
CONNECT_SECONDS = 3
RETRY_AFTER_SECONDS = 30  # clamd takes about as long to load its signatures at start
MAX_RESPONSE_BYTES = 4096
MAX_NAME_CHARS = 100
TCP = re.compile(r"tcp://([^\s:/?#@\[\]]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})")
FOUND = re.compile(r"stream: (.+) FOUND", re.DOTALL)
# The second with AlertExceedsMax; without that option, clamd says OK for what it skips.
TOO_MUCH = re.compile(r"INSTREAM size limit exceeded\. ERROR|stream: Heuristics\.Limits\..+ FOUND")


class Scan:
    """The scan of one file, sent sequentially. Each method may raise ScannerUnavailable."""

    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> Scan:
        timeout_seconds = settings.CLAMD_SILENT_SECONDS
        self._socket = _send_command(self._address, "INSTREAM", timeout_seconds)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def feed(self, chunk: bytes) -> None:
        """Send a chunk. Raises NotScannable if the file is larger than clamd accepts."""
        if chunk:  # an empty one would end the file
            self._send(struct.pack("!L", len(chunk)) + chunk)

    def verdict(self) -> None:
        """End the file, and return if it is clean. Raises Infected, NotScannable."""
        self._send(struct.pack("!L", 0))
        with _mapped_errors():
            _judge(_response(self._socket))

    def _send(self, piece: bytes) -> None:
        with _mapped_errors():
            try:
                if _is_readable(self._socket):
                    raise ConnectionError("it responded before the end of the file")
                self._socket.sendall(piece)
            except ConnectionError:
                _judge(_response(self._socket))  # it may say why
                raise  # not OK, even if it says so


def is_scanner_on() -> bool:
    """Return whether files are scanned."""
    return str(settings.CLAMD) != OFF


def ping_scanner(address: str, *, seconds: float = CONNECT_SECONDS) -> None:
    """Raises ScannerUnavailable unless a clamd responds. Uses no settings."""
    if (response := _ask(address, "PING", seconds)) != "PONG":
        raise ScannerUnavailable("No virus scanner responds there.") from ValueError(response)


def scanner_signatures_date(address: str) -> datetime | None:
    """Return the date of the signatures; None for custom ones. Raises ScannerUnavailable."""
    # ClamAV 1.4.3/27650/Thu May 29 08:33:10 2025
    response = _ask(address, "VERSION", CONNECT_SECONDS)
    with suppress(ValueError):
        return datetime.strptime(response.rpartition("/")[2], "%a %b %d %H:%M:%S %Y").astimezone()
    return None


def scanner_status() -> tuple[bool, datetime | None]:
    """Return whether the scanner of the settings responds, and the date of its signatures."""
    try:
        return True, scanner_signatures_date(settings.CLAMD)
    except ScannerUnavailable:
        return False, None


def scanner_place(address: str) -> str | tuple[str, int]:
    """Return the path of a Unix socket, or host and port. Raises ValueError."""
    if address.startswith("unix:///"):
        return address.removeprefix("unix://")
    if (found := TCP.fullmatch(address)) and 0 < int(found[2]) < 2**16:
        host = found[1].strip("[]")
        host.encode("idna")  # as connecting will
        return host, int(found[2])
    raise ValueError("neither tcp://host:port nor unix:///path")


def _ask(address: str, command: str, timeout_seconds: float) -> str:
    with _send_command(address, command, timeout_seconds) as connection, _mapped_errors():
        return _response(connection)


def _send_command(address: str, command: str, timeout_seconds: float) -> socket.socket:
    """Connect to clamd and send it a command. Return the socket."""
    with _mapped_errors():
        connection = _connect(scanner_place(address), min(CONNECT_SECONDS, timeout_seconds))
        try:
            connection.settimeout(timeout_seconds)  # of each call; signals do not prolong it
            connection.sendall(b"z%s\0" % command.encode())
        except BaseException:
            connection.close()
            raise
        return connection


def _connect(place: str | tuple[str, int], seconds: float) -> socket.socket:
    if isinstance(place, tuple):
        return socket.create_connection(place, seconds)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(seconds)
        connection.connect(place)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_readable(connection: socket.socket) -> bool:
    """Return whether data, or the end of the connection, has arrived."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _response(connection: socket.socket) -> str:
    response = b""
    while not response.endswith(b"\0"):
        piece = connection.recv(MAX_RESPONSE_BYTES)
        if not piece or len(response) > MAX_RESPONSE_BYTES:
            raise ConnectionError(f"no response: {response!r}")
        response += piece
    return response[:-1].decode("ascii", "replace")


def _judge(response: str) -> None:
    """Return if the response says that the file is clean. Raises Infected, NotScannable."""
    if TOO_MUCH.fullmatch(response):
        raise NotScannable("The file is too large or too deeply nested to be scanned for viruses.")
    if found := FOUND.fullmatch(response):
        raise Infected(f"A virus was found in the file: {_safe(found[1])}.")
    if response != "stream: OK":
        raise ConnectionError(f"no verdict: {response!r}")


def _safe(signature: str) -> str:
    """Return the signature's name in safe characters, without '.UNOFFICIAL'."""
    name = signature.removesuffix(".UNOFFICIAL")[:MAX_NAME_CHARS]
    return re.sub(r"[^A-Za-z0-9._:/-]", "_", name)


@contextmanager
def _mapped_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        sentence = "The virus scanner could not be reached, or did not respond."
        raise ScannerUnavailable(sentence, after_seconds=RETRY_AFTER_SECONDS) from error
