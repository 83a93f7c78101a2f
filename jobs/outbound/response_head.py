"""Parse the head of a response as tolerantly as browsers and curl, unlike `http.client`.

Interim responses are skipped, lines that are not headers are ignored, and the limit is in bytes,
not lines. But the length of the body is parsed strictly: an ambiguous head raises BadHead, and an
invalid or truncated chunk size ends the response with an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http.client import (
    HTTPException,
    HTTPMessage,
    HTTPResponse,
    IncompleteRead,
    RemoteDisconnected,
)
from io import BytesIO
from typing import IO

MAX_HEAD_BYTES = 256 * 1024  # interim responses included; Chromium has the same limit
INTERIM = re.compile(rb"HTTP/\d(\.\d)?[ \t]+1\d\d(\s|$)")
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
LENGTH = re.compile(r"0*(\d{1,18})", re.ASCII)
NOT_IN_VALUES = re.compile(r"[\x00\r]")
# What `http.client` needs: how the body is framed, and whether the connection is persistent.
FRAMING = ("Transfer-Encoding", "Content-Length", "Connection", "Keep-Alive", "Proxy-Connection")
# Words in Transfer-Encoding that mean no coding.
NO_CODINGS = {"identity", "none", "binary", "7bit", "8bit"}
MISSPELT_FRAMING = ("transferencoding", "contentlength")
MAX_CHUNK_LINE_BYTES = 16 * 1024  # of a chunk size and its extensions, as in curl and Chromium
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(;.*)?\r?\n", re.DOTALL)


class BadHead(Exception):
    """The response is not valid HTTP."""


class TolerantResponse(HTTPResponse):
    """For `HTTPConnection.response_class`."""

    def begin(self) -> None:
        """Raises BadHead, and RemoteDisconnected if the connection ends within the head."""
        if self.headers is not None:  # it ran before
            return
        stream = self.fp
        status_line, headers = _read_head(stream)
        self.fp = BytesIO(status_line + _framing_of(headers))
        try:
            super().begin()
        except HTTPException as error:
            raise BadHead("not a status line of HTTP") from error
        finally:
            self.fp = stream
        self.headers = self.msg = headers

    # The method of `http.client` accepts "-5", "0x5" and "5_0" as a size, takes a truncated size
    # ("00" of "0005") for the last chunk, and rejects lines that end in LF alone.
    def _get_chunk_left(self) -> int | None:
        """Return the bytes left in the chunk, or of the next one; None after the last chunk."""
        if self.chunk_left:
            return self.chunk_left
        # The line end after a chunk; there is none before the first one.
        if self.chunk_left is not None and self.fp.readline(2) not in (b"\r\n", b"\n"):
            raise IncompleteRead(b"")
        size = CHUNK_SIZE.fullmatch(self.fp.readline(MAX_CHUNK_LINE_BYTES))
        if not size:
            raise IncompleteRead(b"")
        self.chunk_left = int(size[1], 16) or None
        if not self.chunk_left:
            self._skip_trailers()
            self._close_conn()  # type: ignore[attr-defined] # as the method that this replaces
        return self.chunk_left

    def _skip_trailers(self) -> None:
        """Read to the empty line or the end of the connection. The body is complete already."""
        left = MAX_HEAD_BYTES
        while (line := self.fp.readline(left + 1)) not in (b"\r\n", b"\n", b""):
            left -= len(line)
            if left < 0:
                raise BadHead(f"more than {MAX_HEAD_BYTES:,} bytes after the body")


def _read_head(stream: IO[bytes]) -> tuple[bytes, HTTPMessage]:
    """Return the status line and the headers of the final response."""
    left = MAX_HEAD_BYTES
    while True:
        lines = _read_lines(stream, left)
        left -= sum(map(len, lines))
        if not lines or not INTERIM.match(lines[0]):
            return (lines or [b"\n"])[0], _message(_fields(lines[1:]))


def _read_lines(stream: IO[bytes], most_bytes: int) -> list[bytes]:
    """Read the lines up to the empty line, which is dropped."""
    lines: list[bytes] = []
    while (line := stream.readline(most_bytes + 1)) not in (b"\r\n", b"\n"):
        most_bytes -= len(line)
        if most_bytes < 0:
            raise BadHead(f"more than {MAX_HEAD_BYTES:,} bytes before the body")
        if not line:
            raise RemoteDisconnected("the connection ended within the head")
        lines.append(line)
        if not lines[0].startswith(b"HTTP/"):  # the line may be endless
            raise BadHead("not a status line of HTTP")
    return lines


def _fields(lines: Iterable[bytes]) -> list[tuple[str, str]]:
    """Return names and values in order, with continued lines joined (RFC 9112, 5.2)."""
    fields: list[tuple[str, list[str]]] = []
    may_continue = False  # false after a line that is ignored
    for line in lines:
        text = line.decode("latin-1").rstrip("\r\n")
        name, colon, value = text.partition(":")
        name = name.rstrip(" \t")
        if text.startswith((" ", "\t")) and may_continue:
            fields[-1][1].append(text.strip(" \t"))
        elif colon and TOKEN.fullmatch(name):
            fields.append((name, [value.strip(" \t")]))
            may_continue = True
        else:
            _refuse_framing(name)
            may_continue = False
    return [(name, NOT_IN_VALUES.sub(" ", " ".join(filter(None, v)))) for name, v in fields]


def _refuse_framing(odd_name: str) -> None:
    letters = re.sub("[^a-z]", "", odd_name.lower())
    if letters.startswith(MISSPELT_FRAMING):
        raise BadHead("a line that may say where the body ends, and is no header")


def _message(fields: list[tuple[str, str]]) -> HTTPMessage:
    headers = HTTPMessage()
    for name, value in fields:
        headers[name] = value
    codings = _list_of(headers, "Transfer-Encoding")
    while codings and codings[0] in NO_CODINGS:
        del codings[0]
    if codings and set(codings) == {"chunked"}:  # repeated, it still means once
        codings = ["chunked"]
        del headers["Content-Length"]  # it does not count: RFC 9112, 6.3
    _replace(headers, "Transfer-Encoding", ", ".join(codings))
    _replace(headers, "Content-Length", _length_of(headers))
    return headers


def _length_of(headers: HTTPMessage) -> str:
    """Return the length; empty if there is none. Raises BadHead if it is invalid or ambiguous."""
    matches = [LENGTH.fullmatch(each) for each in _list_of(headers, "Content-Length")]
    if not all(matches) or len(lengths := {each[1] for each in matches if each}) > 1:
        raise BadHead("a Content-Length that is none")
    return lengths.pop() if lengths else ""


def _list_of(headers: HTTPMessage, name: str) -> list[str]:
    """Return the values of all headers of that name, in lower case."""
    values = ",".join(headers.get_all(name, [])).lower().split(",")
    return [each.strip(" \t") for each in values if each.strip(" \t")]


def _replace(headers: HTTPMessage, name: str, value: str) -> None:
    del headers[name]
    if value:
        headers[name] = value


def _framing_of(headers: HTTPMessage) -> bytes:
    values = ((name, ", ".join(headers.get_all(name, []))) for name in FRAMING)
    lines = [f"{name}: {value}\r\n" for name, value in values if value]
    return "".join([*lines, "\r\n"]).encode("latin-1")
