"""Connections that another thread can cut off, whatever is being waited for on them."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HeaderParsingError
from urllib3.util.response import assert_header_parsing


class SealedSocket(ssl.SSLSocket):
    def shutdown(self, how: int) -> None:
        """Of the line alone. The library's would also leave the seal, and whoever reads at that
        moment would get what comes next as it lies on the line."""
        socket.socket.shutdown(self, how)


class _Line(HTTPConnection):
    _used: socket.socket | None = None
    _is_cut = False

    def connect(self) -> None:
        super().connect()
        self._used = self.sock  # which http.client forgets once an answer ends with the line
        if self._is_cut:
            self.cut()

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # so it is in urllib3, too
        """Raises HeaderParsingError: what follows a line that is no header was not read, and may
        have told how the body is framed."""
        response = super().getresponse()
        assert response._original_response  # which it was made of
        try:
            assert_header_parsing(response._original_response.msg)
        except HeaderParsingError:
            response.close()
            raise
        return response

    def cut(self) -> None:
        """Whoever reads from it gets what has come, if anything, and then the end."""
        self._is_cut = True
        if self._used:
            with suppress(OSError):  # it ended by itself
                self._used.shutdown(socket.SHUT_RDWR)


class _SealedLine(_Line, HTTPSConnection):
    pass


class Lines(HTTPConnectionPool):
    """To one address."""

    ConnectionCls = _Line

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._lines: WeakSet[_Line] = WeakSet()

    def _new_conn(self) -> _Line:
        line = super()._new_conn()
        assert isinstance(line, _Line)  # by ConnectionCls
        self._lines.add(line)
        return line

    def cut(self) -> None:
        """All that there are, and let there be no other."""
        self.close()
        for line in list(self._lines):
            line.cut()


class SealedLines(Lines, HTTPSConnectionPool):  # type: ignore[misc] # its lines are _Lines, too
    ConnectionCls = _SealedLine
