"""The arguments and options of the command line."""

from __future__ import annotations

import sys
from argparse import SUPPRESS, ArgumentParser, BooleanOptionalAction, RawDescriptionHelpFormatter
from collections.abc import Callable
from textwrap import fill
from typing import NoReturn

from downloads_client.errors import EXIT_CODES, UsageError

DESCRIPTION = (
    "Asks the service for files as one archive, for the file that a link leads to, or for a"
    " report on what was asked for; shows how far it is, fetches and verifies it."
)
EPILOG = "\n".join(["exit codes:", *(f"  {code:3}  {why}" for code, why in EXIT_CODES.items())])


def make_parser() -> ArgumentParser:
    """Return the parser of `downloads`. It raises UsageError in place of exiting."""
    parser = ArgumentParser(
        "downloads",
        description=fill(DESCRIPTION),
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    parser.add_argument("--traceback", action="store_true", help="show where a bug is")
    raise_usage_errors(parser)
    return parser


def raise_usage_errors(parser: ArgumentParser) -> None:
    """Make the parser raise UsageError for invalid arguments."""

    def error(message: str) -> NoReturn:
        parser.print_usage(sys.stderr)
        raise UsageError(f"{parser.prog}: error: {message}")

    parser.error = error  # type: ignore[method-assign]


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "items",
        nargs="+",
        metavar="ITEM",
        help="numbers of files (70000 70001), a link (https://...), the word report, or the id"
        " of a download",
    )
    add("--output", default=".", metavar="PATH", help="a folder, a file, or - for stdout (.)")
    add("--force", action="store_true", help="overwrite what is there")
    _add_options_of_kinds(add)
    _add_options_of_new_downloads(add)
    add("--service", default="", metavar="URL", help="that of `make run` by default")
    add("--user", default="", help="who asks; that of `make run` by default")
    add("--password-stdin", action="store_true", help="read it there, and ask nobody for it")
    add("--retry-for", type=float, default=60, metavar="SECONDS", help="try so long again (60)")
    # The option's former name.
    add("--patience", type=float, default=SUPPRESS, dest="retry_for", help=SUPPRESS)
    add("--json", action="store_true", help="one object on stdout, also if the download fails")
    add("--quiet", action="store_true", help="no progress, only what went wrong")


def _add_options_of_kinds(add: Callable[..., object]) -> None:
    add("--name", default="", help="what the file shall be called")
    add("--bundle", action="store_true", help="of ids, too: one archive of what these made")
    add("--threads", type=int, metavar="N", help="connections for a link, 1 to 16 (4)")
    add("--sha256", default="", metavar="HEX", help="what a link's file has to have")
    add("--period", default="", metavar="DAYS", help="of a report: so many, up to today (30d)")
    add("--from", default="", dest="first_day", metavar="DAY", help="of a report: 2026-10-01")
    add("--to", default="", dest="last_day", metavar="DAY", help="of a report: 2026-10-31")
    add("--format", default="", metavar="NAME", help="of a report: pdf, csv or json (pdf)")
    add("--everybody", action="store_true", help="a report on what all asked for; for staff")


def _add_options_of_new_downloads(add: Callable[..., object]) -> None:
    add("--priority", type=int, metavar="N", help="how urgent it is, 0 to 9 (4)")
    add("--run-at", default="", metavar="TIME", help="not before: 2026-11-23T06:00:00Z")
    add("--after", default=[], action="append", metavar="ID", help="once that is done; repeatable")
    add("--email", action=BooleanOptionalAction, help="a mail at its end, or none")
    add("--webhook", default="", metavar="URL", help="what is told of its end")
