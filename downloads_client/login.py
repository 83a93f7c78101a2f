"""The service's address, and the user name and password, or the API key."""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import requests

from downloads_client.failures import UsageError
from downloads_client.formatting import format_printable

API_KEY = "DOWNLOADS_API_KEY"  # the variable with an API key


class Login(NamedTuple):
    """A user and a password, or an API key."""

    url: str
    user: str
    password: str
    api_key: str = ""


def find_login(url: str, user: str, run_json: Path, *, from_stdin: bool) -> Login:
    """Return the login, completed from the file that `make run` writes. Raises UsageError.

    An API key in the environment is only used for a service that is named, without a user.
    """
    if url and not user and not from_stdin and (key := os.environ.get(API_KEY, "").strip()):
        _validate(url)
        return Login(url, "", "", _validated_key(key))
    running = _read(run_json)
    url = url or running.get("url", "")
    # The password in run.json is for that service only.
    own = running if url.rstrip("/") == running.get("url") else {}
    user = user or own.get("user", "")
    if not url or not user:
        raise UsageError(_missing_message(run_json))
    _validate(url)
    if from_stdin:
        return Login(url, user, _password_from_stdin())
    known = own.get("password", "") if user == own.get("user") else ""
    return Login(url, user, known or _prompt(user))


def default_login_file() -> Path:
    """Return the path of the file that `make run` writes."""
    folder = os.environ.get("STACK_FOLDER") or Path(__file__).resolve().parents[1] / ".stack"
    return Path(folder) / "run.json"


def _read(run_json: Path) -> dict[str, str]:
    try:
        found = json.loads(run_json.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):  # nothing runs, or the file is not ours
        return {}
    members = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in members if isinstance(value, str)}


def _missing_message(run_json: Path) -> str:
    usual = f"Use --service and --user (or {API_KEY})"
    if os.path.exists(run_json):  # False in a folder without permission
        return f"{usual}: {run_json} does not name a service and a user."
    return f"{usual}, or start the service with `make run`."


def _validated_key(key: str) -> str:
    """Return the key, which will be in a header. Raises UsageError."""
    if not re.fullmatch("[!-~]+", key):
        raise UsageError(f"{API_KEY} is not an API key.")
    return key


def _validate(url: str) -> None:
    """Raise UsageError unless it is a plain http or https address."""
    try:
        parts = urlsplit(url)
        is_plain = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        requests.Request("GET", url).prepare()
        (parts.hostname or "").encode("idna")  # as connecting will
    except (ValueError, requests.RequestException):
        is_plain = False
    if not is_plain or parts.username is not None or parts.query or parts.fragment:
        raise UsageError(
            "--service needs a URL such as https://downloads.example.org, without a path."
        )


def _password_from_stdin() -> str:
    try:
        password = sys.stdin.buffer.readline().decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UsageError("The password on stdin is not valid UTF-8.") from error
    if not password:
        raise UsageError("No password on stdin.")
    return password


def _prompt(user: str) -> str:
    if not sys.stdin.isatty():
        raise UsageError("There is no terminal to enter the password: use --password-stdin.")
    try:
        return getpass.getpass(f"Password of {format_printable(user)}: ", sys.stderr)
    except EOFError as error:
        raise UsageError("No password was given.") from error
    except UnicodeError as error:
        raise UsageError(
            "The password has characters outside this locale: set LC_ALL=C.UTF-8."
        ) from error
