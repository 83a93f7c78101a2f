"""The parts of pages that a kind fills in."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Detail:
    """A term and its value. `at` is set if that is a time, `file_id` if it is a file's number."""

    term: str
    text: str
    at: datetime | None = None
    file_id: int | None = None


@dataclass(frozen=True)
class Contents:
    """What the job was made for: files with their sizes, or some facts."""

    title: str
    files: tuple[tuple[str, str], ...] = ()
    more: int = 0
    facts: tuple[Detail, ...] = ()


@dataclass(frozen=True)
class Remedy:
    """A link to what helps more than a retry."""

    verb: str
    address: str


@dataclass(frozen=True)
class Card:
    """A kind on the start page, and the button that leads to its form from an empty list.

    `icon` is one of the symbols in _icons.html.
    """

    icon: str
    title: str
    subtitle: str
    button: str


def page_curl_json(body: Mapping[str, Any]) -> str:
    """Return the argument with which curl posts JSON."""
    return f"--json {shlex.quote(json.dumps(body, ensure_ascii=False))}"


def term_of(name: str) -> str:
    """Return a name of JSON or Python as a term: `pagesRead` and `pages_read` as 'Pages read'."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", name).lower()
    return words[:1].upper() + words[1:]
