"""Cookies during one download: some servers set one and redirect to the same URL.

Parsed as RFC 6265 says: an invalid attribute is ignored and its cookie kept. Each host has its own
jar, so a cookie is never sent to another host, whatever its Domain.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from urllib3 import BaseHTTPResponse

from jobs.outbound.hosts import host_address
from jobs.outbound.url_parser import ParsedUrl

# The minimum that RFC 6265, 6.1 requires. There must be a limit: servers can send any number.
MAX_COOKIES = 50
MAX_COOKIE_CHARS = 4096
MAX_AGE = re.compile(r"-?\d+", re.ASCII)
# The parts of a date, in any order (5.1.1).
DATE_TOKEN = re.compile(r"[^\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(\D.*)?", re.ASCII)
DAY = re.compile(r"(\d{1,2})(\D.*)?", re.ASCII)
YEAR = re.compile(r"(\d{2,4})(\D.*)?", re.ASCII)
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


@dataclass(frozen=True)
class Cookie:
    """A cookie that a host has set."""

    pair: str  # as it is sent: "name=value"
    path: str
    is_secure: bool

    def fits(self, target: ParsedUrl) -> bool:
        """Return whether the cookie is sent to the target, which is on its host."""
        path = target.path.partition("?")[0]
        folder = self.path if self.path.endswith("/") else self.path + "/"
        is_below = path == self.path or path.startswith(folder)
        return is_below and (target.scheme == "https" or not self.is_secure)


Jar = dict[tuple[str, str], Cookie]  # by name and path


class Cookies:
    """The cookies of all hosts. Thread-safe."""

    def __init__(self) -> None:
        self._jars: defaultdict[str, Jar] = defaultdict(dict)
        self._lock = threading.Lock()

    def header_for(self, target: ParsedUrl) -> dict[str, str]:
        """Return the Cookie header; empty if there is no cookie."""
        with self._lock:
            found = [each for each in self._jars[target.host].values() if each.fits(target)]
        found.sort(key=lambda each: -len(each.path))
        return {"Cookie": "; ".join(each.pair for each in found)} if found else {}

    def store(self, response: BaseHTTPResponse, target: ParsedUrl) -> None:
        """Store the cookies that the response sets, and delete those that it expires."""
        with self._lock:
            for text in response.headers.getlist("Set-Cookie")[:MAX_COOKIES]:
                if len(text) <= MAX_COOKIE_CHARS:
                    _store(self._jars[target.host], text, target)


def _store(jar: Jar, text: str, target: ParsedUrl) -> None:
    pair, *parts = text.split(";")
    name, equals, value = (each.strip(" \t") for each in pair.partition("="))
    if not equals:
        name, value = "", name  # as in browsers, which also send it without a name
    attributes = _attributes(parts)
    if not (name or value) or not _is_for(target.host, attributes.get("domain", "")):
        return
    sent = f"{name}={value}" if name else value
    cookie = Cookie(sent, _path(attributes.get("path", ""), target), "secure" in attributes)
    key = (name, cookie.path)
    if _is_over(attributes):
        jar.pop(key, None)
    elif key in jar or len(jar) < MAX_COOKIES:
        jar[key] = cookie


def _attributes(parts: list[str]) -> dict[str, str]:
    """Return the attributes by lower-case name; the last valid one counts (RFC 6265, 5.3)."""
    found: dict[str, str] = {}
    for part in parts:
        name, _, value = (each.strip(" \t") for each in part.partition("="))
        name = name.lower()
        if name == "max-age" and not MAX_AGE.fullmatch(value):
            continue
        if name == "expires" and not _date(value):
            continue
        found[name] = value
    return found


def _is_for(host: str, domain: str) -> bool:
    """Return whether the Domain includes the host (5.1.3). An IP address has no subdomains."""
    domain = domain.lower().removeprefix(".")
    if not domain or domain.removeprefix("[").removesuffix("]") == host:
        return True
    return "." in domain and host.endswith("." + domain) and not host_address(host)


def _path(path: str, target: ParsedUrl) -> str:
    """Return the path; by default, the folder of the request (5.1.4)."""
    if path.startswith("/"):
        return path
    return target.path.partition("?")[0].rpartition("/")[0] or "/"


def _is_over(attributes: dict[str, str]) -> bool:
    if age := attributes.get("max-age"):
        return age.startswith("-") or not age.strip("0")
    date = _date(attributes.get("expires", ""))
    return date is not None and date <= datetime.now(UTC)


def _date(text: str) -> datetime | None:
    """Parse a date (5.1.1). Return None if it is invalid."""
    time = day = month = year = None
    for token in DATE_TOKEN.findall(text):
        if not time and (time := TIME.fullmatch(token)):
            continue
        if not day and (day := DAY.fullmatch(token)):
            continue
        if month is None and token[:3].lower() in MONTHS:
            month = MONTHS.index(token[:3].lower()) + 1
        elif not year:
            year = YEAR.fullmatch(token)
    if not (time and day and month and year):
        return None
    with suppress(ValueError):
        hours, minutes, seconds = (int(time[n]) for n in (1, 2, 3))
        return datetime(_year(year[1]), month, int(day[1]), hours, minutes, seconds, tzinfo=UTC)
    return None


def _year(digits: str) -> int:
    year = int(digits)
    if year < 70:
        return year + 2000
    return year + 1900 if year < 100 else year
