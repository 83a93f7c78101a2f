"""The response of a correct server to a request for a file (RFC 9110), before it is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from email.utils import formatdate
from http import HTTPStatus

from tests.hostile.content import File
from tests.hostile.tally import Request

RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


@dataclass(frozen=True)
class Reply:
    """A status, headers, and `count` bytes of the file from `first` on."""

    status: int
    headers: dict[str, str]
    file: File
    first: int = 0
    count: int = 0

    @property
    def last(self) -> int:
        return self.first + self.count - 1

    def but(self, **changed: str | None) -> Reply:
        """Return a copy with other headers: `content_range="bytes 0-0/1"`; None removes one."""
        named = {name.replace("_", "-").title(): value for name, value in changed.items()}
        same = {k: v for k, v in self.headers.items() if k.title() not in named}
        changed = {name: value for name, value in named.items() if value is not None}
        return replace(self, headers=same | changed)

    def head(self, version: str = "HTTP/1.1") -> bytes:
        first = f"{version} {self.status} {HTTPStatus(self.status).phrase}"
        lines = [first, *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def honest_reply(file: File, request: Request) -> Reply:
    requested = requested_range(request, file.size)
    if requested is None or request.method != "GET" or not is_current(file, request):
        return whole(file)
    first, last = requested
    if first >= file.size:
        return unsatisfiable(file)
    return part(file, first, min(last, file.size - 1))


def requested_range(request: Request, size: int) -> tuple[int, int] | None:
    """Return the first and last byte of the only requested range. It may lie beyond the end.

    None if the whole file is to be sent: no range, several, or an invalid one.
    """
    found = RANGE.fullmatch(request.headers.get("range", ""))
    match found and found.groups():
        case None | ("", ""):
            return None
        case ("", count):
            return max(size - int(count), 0), size - 1
        case (first, ""):
            return int(first), max(size - 1, int(first))
        case (first, last) if int(first) <= int(last):
            return int(first), int(last)
    return None


def is_current(file: File, request: Request) -> bool:
    """Return True if there is no If-Range, or it matches the current file."""
    expected = request.headers.get("if-range")
    facts = file.facts()
    if expected is None or expected == facts.get("Last-Modified"):
        return True
    return expected == facts.get("ETag") and not expected.startswith("W/")


def whole(file: File) -> Reply:
    return Reply(200, headers(file, file.size), file, 0, file.size)


def part(file: File, first: int, last: int) -> Reply:
    count = last - first + 1
    sent = f"bytes {first}-{last}/{file.size}"
    return Reply(206, headers(file, count) | {"Content-Range": sent}, file, first, count)


def unsatisfiable(file: File) -> Reply:
    return Reply(416, headers(file, 0) | {"Content-Range": f"bytes */{file.size}"}, file)


def headers(file: File, count: int) -> dict[str, str]:
    now = {"Date": formatdate(usegmt=True), "Accept-Ranges": "bytes"}
    return now | file.facts() | {"Content-Length": str(count)}
