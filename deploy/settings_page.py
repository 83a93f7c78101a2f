"""Print docs/settings.md, generated from .env.example: `make docs`.

Needs only the standard library. A test compares the page with the output.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / ".env.example"
VARIABLE = re.compile(r"#([A-Z][A-Z0-9_]*)=(.*)")
INTRODUCTION = """\
# Settings

<!-- Generated from .env.example by `make docs` -->

Settings are environment variables. Which are there, and what are their defaults?

In development, the processes read their environment, then `.env`, then `.stack/env`, which
`make run` writes; the first value found wins. With `PRODUCTION=true` they read the environment
only. Booleans are `true` or `false`, `yes` or `no`, `on` or `off`, `1` or `0`. Lists are
comma-separated. An invalid value stops the start, and so do the secrets below with
`PRODUCTION=true`.

How to use them is in [operations.md](operations.md), removed settings are in
[upgrade.md](upgrade.md).
"""


@dataclass
class Section:
    """Variables on one subject, as rows of a table: name, default, description."""

    title: str
    rows: list[tuple[str, str, str]] = field(default_factory=list)


def page(example: str) -> str:
    """Return the page for the text of .env.example."""
    return INTRODUCTION + "".join(map(_section_text, _sections(example)))


def rows(example: str) -> Iterator[tuple[str, str, str]]:
    """Yield the name, default and description of each variable."""
    for section in _sections(example):
        yield from section.rows


def _sections(example: str) -> Iterator[Section]:
    """Yield the sections: a paragraph with the title, then one with the variables."""
    _, *paragraphs = re.split(r"\n{2,}", example.strip())
    for title, variables in zip(paragraphs[::2], paragraphs[1::2], strict=True):
        yield Section(title.removeprefix("#").strip(), list(_rows(variables)))


def _rows(paragraph: str) -> Iterator[tuple[str, str, str]]:
    comment: list[str] = []
    for line in paragraph.splitlines():
        if found := VARIABLE.fullmatch(line):
            yield found[1], found[2], " ".join(comment)
            comment = []
        else:
            comment.append(line.removeprefix("#").strip())


def _section_text(section: Section) -> str:
    head = f"\n## {section.title}\n\n| variable | default | description |\n|---|---|---|\n"
    rows = [
        f"| `{name}` | {f'`{default}`' if default else ''} | {description} |\n"
        for name, default, description in section.rows
    ]
    return head + "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(page(EXAMPLE.read_text()))
