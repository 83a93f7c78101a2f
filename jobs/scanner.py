"""The virus scanner: a clamd that is told a file's bytes, by its command INSTREAM.

Fails closed: a file is clean only if clamd says so, and says it after the last byte.
"""

from __future__ import annotations

import re
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from types import TracebackType

from django.conf import settings

from jobs.errors import Infected, NotScannable, ScannerUnavailable

OFF = "off"
CONNECT_SECONDS = 3
REST_SECONDS = 30  # a clamd that starts reads its signatures for about as long
MAX_ANSWER_BYTES = 4096
MAX_NAME_CHARS = 100
TCP = re.compile(r"tcp://([^\s:/?#@\[\]]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})")
FOUND = re.compile(r"stream: (.+) FOUND", re.DOTALL)
# The latter from a clamd that is set to AlertExceedsMax, which else calls what it skips OK.
TOO_MUCH = re.compile(r"INSTREAM size limit exceeded\. ERROR|stream: Heuristics\.Limits\..+ FOUND")


class Scan:
    """One file, its bytes told front to back. Each step may raise ScannerUnavailable."""

    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> Scan:
        self._line = _line_to(self._address, "INSTREAM", settings.CLAMD_SILENT_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._line.close()

    def feed(self, chunk: bytes) -> None:
        """Raises NotScannable once clamd has had more than it takes."""
        if chunk:  # an empty one would be the end
            self._send(struct.pack("!L", len(chunk)) + chunk)

    def verdict(self) -> None:
        """Returns if all that was told is clean. Raises Infected, NotScannable."""
        self._send(struct.pack("!L", 0))
        with _mapped_errors():
            _judge(_answer(self._line))

    def _send(self, piece: bytes) -> None:
        with _mapped_errors():
            try:
                if _speaks(self._line):
                    raise ConnectionError("it answered before it was told all")
                self._line.sendall(piece)
            except ConnectionError:
                _judge(_answer(self._line))  # it may have said why
                raise  # not OK, even if it said so


def is_on() -> bool:
    return str(settings.CLAMD) != OFF


def ping(address: str, *, seconds: float = CONNECT_SECONDS) -> None:
    """Raises ScannerUnavailable unless a clamd answers. Reads no setting."""
    if (said := _asked(address, "PING", seconds)) != "PONG":
        raise ScannerUnavailable("No virus scanner answers there.") from ValueError(said)


def signatures_made_at(address: str) -> datetime | None:
    """When its signatures were made; None for those of one's own. Raises ScannerUnavailable."""
    said = _asked(
        address, "VERSION", CONNECT_SECONDS
    )  # ClamAV 1.4.3/27650/Thu May 29 08:33:10 2025
    with suppress(ValueError):
        return datetime.strptime(said.rpartition("/")[2], "%a %b %d %H:%M:%S %Y").astimezone()
    return None


def place_of(address: str) -> str | tuple[str, int]:
    """The path of a socket, or host and port. Raises ValueError."""
    if address.startswith("unix:///"):
        return address.removeprefix("unix://")
    if (found := TCP.fullmatch(address)) and 0 < int(found[2]) < 2**16:
        host = found[1].strip("[]")
        host.encode("idna")  # as connecting will
        return host, int(found[2])
    raise ValueError("neither tcp://host:port nor unix:///path")


def _asked(address: str, command: str, seconds: float) -> str:
    with _line_to(address, command, seconds) as line, _mapped_errors():
        return _answer(line)


def _line_to(address: str, command: str, silent_seconds: float) -> socket.socket:
    """On which clamd was given the command."""
    with _mapped_errors():
        line = _connected(place_of(address), min(CONNECT_SECONDS, silent_seconds))
        try:
            line.settimeout(silent_seconds)  # of each step; a signal between does not prolong it
            line.sendall(b"z%s\0" % command.encode())
        except BaseException:
            line.close()
            raise
        return line


def _connected(place: str | tuple[str, int], seconds: float) -> socket.socket:
    if isinstance(place, tuple):
        return socket.create_connection(place, seconds)
    line = socket.socket(socket.AF_UNIX)
    try:
        line.settimeout(seconds)
        line.connect(place)
    except BaseException:
        line.close()
        raise
    return line


def _speaks(line: socket.socket) -> bool:
    """Whether something has come, or the end."""
    poll = select.poll()
    poll.register(line, select.POLLIN)
    return bool(poll.poll(0))


def _answer(line: socket.socket) -> str:
    said = b""
    while not said.endswith(b"\0"):
        piece = line.recv(MAX_ANSWER_BYTES)
        if not piece or len(said) > MAX_ANSWER_BYTES:
            raise ConnectionError(f"no answer: {said!r}")
        said += piece
    return said[:-1].decode("ascii", "replace")


def _judge(said: str) -> None:
    """Returns where it is OK."""
    if TOO_MUCH.fullmatch(said):
        raise NotScannable(
            "The file is too large, or packed too deeply, to be scanned for viruses."
        )
    if found := FOUND.fullmatch(said):
        raise Infected(f"A virus was found in the file: {_safe(found[1])}.")
    if said != "stream: OK":
        raise ConnectionError(f"no verdict: {said!r}")


def _safe(signature: str) -> str:
    """Its name, without what only says that it is none of ClamAV's own."""
    name = signature.removesuffix(".UNOFFICIAL")[:MAX_NAME_CHARS]
    return re.sub(r"[^A-Za-z0-9._:/-]", "_", name)


@contextmanager
def _mapped_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        sentence = "The virus scanner could not be reached, or did not answer."
        raise ScannerUnavailable(sentence, after_seconds=REST_SECONDS) from error
