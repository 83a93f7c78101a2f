"""`downloads files` and `downloads jobs`: list what the service has."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from downloads_client.failures import UsageError
from downloads_client.formatting import format_size
from downloads_client.json_object import JsonObject
from downloads_client.streams import print_to_stderr
from downloads_client.terminal_command import TerminalCommand

PAGE = 100  # the most that the service returns at once
MAX_LISTED = 100_000


class ListCommand(TerminalCommand):
    """Lists what is at `path`, newest first. `filters` become parameters of the request."""

    path = ""
    filters: tuple[tuple[str, str], ...] = ()
    _found: tuple[JsonObject, ...] = ()
    _has_more = False
    _rows: Sequence[list[str]] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        for name, text in self.filters:
            parser.add_argument(f"--{name}", default="", metavar="TEXT", help=text)
        parser.add_argument(
            "--limit", type=int, default=20, metavar="N", help="list at most N (default: 20)"
        )

    def work(self) -> None:
        limit = self.options["limit"]
        if not 1 <= limit <= MAX_LISTED:
            raise UsageError(f"--limit needs a number from 1 to {MAX_LISTED:,}.")
        self._collect(limit)
        self._rows = [self.row(each) for each in self._found]

    def _collect(self, limit: int) -> None:
        service = self.services()(self.display.show_retry)
        chosen = {name: self.options[name] for name, _ in self.filters if self.options[name]}
        cursor: dict[str, str] = {}
        while (missing := limit - len(self._found)) > 0:
            params = chosen | {"limit": str(min(missing, PAGE))} | cursor
            page = service.page(self.path, params)
            self._found += tuple(page.objects("results"))
            cursor = next_cursor(page)
            self._has_more = bool(cursor)
            if not cursor:
                return

    def lines(self) -> list[str]:
        widths = [max(map(len, column)) for column in zip(*self._rows, strict=True)]
        if self._has_more and not self.options["quiet"]:
            print_to_stderr("There are more: see --limit.")
        return [
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in self._rows
        ]

    def row(self, found: JsonObject) -> list[str]:
        """Return the columns of a line."""
        raise NotImplementedError

    def as_json(self) -> dict[str, Any]:
        return {"results": [each.raw for each in self._found], "more": self._has_more}


class FilesCommand(ListCommand):
    name = "files"
    help = "List the files that you can use, newest first: number, size, date, name."
    path = "v1/files"
    filters = (
        ("search", "part of a name"),
        ("type", "a media type, such as image/png"),
        ("owner", "me or public"),
        ("folder", "files in this folder"),
    )

    def row(self, found: JsonObject) -> list[str]:
        folder, name = found.text("folder", ""), found.text("name")
        number = found.integer_or_none("fileId")
        size = found.number_or_none("size")
        return [
            "-" if number is None else str(number),
            "-" if size is None else format_size(size),
            moment(found),
            f"{folder.rstrip('/')}/{name}" if folder else name,
        ]


class JobsCommand(ListCommand):
    name = "jobs"
    help = "List your downloads, newest first: ID, status, kind, date, name."
    path = "v1/download/jobs"
    filters = (
        ("search", "part of a name, or the beginning of an ID"),
        ("status", "such as completed or failed"),
        ("kind", "such as bundle"),
    )

    def row(self, found: JsonObject) -> list[str]:
        return [
            str(found.uuid("jobId")),
            found.text("status"),
            found.text("kind"),
            moment(found),
            found.text("fileName", ""),
        ]


def moment(found: JsonObject) -> str:
    at = found.moment_or_none("createdAt")
    return f"{at:%Y-%m-%d %H:%M}" if at else "-"


def next_cursor(page: JsonObject) -> dict[str, str]:
    """Return the parameter for the next page; empty for the last one."""
    query = parse_qs(urlsplit(page.secret("next")).query) if page.has("next") else {}
    return {"cursor": query["cursor"][0]} if "cursor" in query else {}
