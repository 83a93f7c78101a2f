"""A host name that resolves to one address when it is checked and to another when it is used."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch


class Name:
    """`calls` counts the look-ups."""

    def __init__(self, first: str, then: str) -> None:
        self._first = first
        self._then = then
        self.calls = 0

    def address(self) -> str:
        self.calls += 1
        return self._first if self.calls == 1 else self._then


@contextmanager
def rebinding(name: str, first: str, then: str) -> Iterator[Name]:
    """Resolve `name` to `first` once and then to `then`, in this process.

    Replaces `socket.getaddrinfo`; other names are resolved as usual.
    """
    real = socket.getaddrinfo
    deceptive = Name(first, then)

    def look_up(host: Any, *args: Any, **options: Any) -> Any:
        return real(
            deceptive.address() if host in (name, name.encode()) else host, *args, **options
        )

    with patch("socket.getaddrinfo", look_up):
        yield deceptive
