"""Which service, and who asks."""

from __future__ import annotations

import getpass
import json
import os
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import requests

from downloads_client.errors import Misused
from downloads_client.formatting import printable


class Login(NamedTuple):
    url: str
    user: str
    password: str


def login(url: str, user: str, run: Path, *, from_stdin: bool) -> Login:
    """What is not given is that of `make run`, which wrote it to `run`. Raises Misused."""
    running = _read(run)
    url = url or running.get("url", "")
    # Its password is for its own service, not for any that somebody names.
    own = running if url.rstrip("/") == running.get("url") else {}
    user = user or own.get("user", "")
    if not url or not user:
        raise Misused(_why_nobody(run))
    _check(url)
    if from_stdin:
        return Login(url, user, _first_line())
    known = own.get("password", "") if user == own.get("user") else ""
    return Login(url, user, known or _asked(user))


def _read(run: Path) -> dict[str, str]:
    try:
        found = json.loads(run.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):  # nothing runs, or it is somebody else's
        return {}
    members = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in members if isinstance(value, str)}


def _why_nobody(run: Path) -> str:
    if os.path.exists(run):  # where it may not be looked for, it is not
        return f"Give --service and --user: {run} does not tell which service, and who asks."
    return "Give --service and --user, or start the service with `make run`."


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_plain = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        requests.Request("GET", url).prepare()
        (parts.hostname or "").encode("idna")  # as connecting will
    except (ValueError, requests.RequestException):
        is_plain = False
    if not is_plain or parts.username is not None or parts.query or parts.fragment:
        raise Misused("--service is an address such as https://downloads.example.org, no more.")


def _first_line() -> str:
    try:
        password = sys.stdin.buffer.readline().decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise Misused("The password on stdin is no UTF-8.") from error
    if not password:
        raise Misused("There is no password on stdin.")
    return password


def _asked(user: str) -> str:
    if not sys.stdin.isatty():
        raise Misused("Nobody is there to be asked for the password: give --password-stdin.")
    try:
        return getpass.getpass(f"Password of {printable(user)}: ", sys.stderr)
    except EOFError as error:
        raise Misused("No password was given.") from error
    except UnicodeError as error:
        raise Misused(
            "The password has letters that this locale lacks: set LC_ALL=C.UTF-8."
        ) from error
