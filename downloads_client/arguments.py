"""The arguments and options of the command line."""

from __future__ import annotations

import sys
from argparse import SUPPRESS, ArgumentParser, BooleanOptionalAction, RawDescriptionHelpFormatter
from collections.abc import Callable
from textwrap import fill
from typing import NoReturn

from downloads_client.failures import EXIT_CODES, UsageError

DESCRIPTION = (
    "Download files as one archive, the file behind a link, or a report on your downloads. Shows"
    " progress, and verifies the file."
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
    parser.add_argument("--traceback", action="store_true", help="show the traceback of a bug")
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
        help="file numbers (70000 70001), one link (https://...), the word report, or the ID"
        " of one download",
    )
    add(
        "--output",
        default=".",
        metavar="PATH",
        help="a folder, a file, or - for stdout (default: .)",
    )
    add("--force", action="store_true", help="overwrite existing files")
    _add_options_of_kinds(add)
    _add_options_of_new_downloads(add)
    add(
        "--service",
        default="",
        metavar="URL",
        help="URL of the service (default: the one of `make run`)",
    )
    add("--user", default="", help="user name (default: the one of `make run`)")
    add("--password-stdin", action="store_true", help="read the password from stdin")
    add(
        "--retry-for",
        type=float,
        default=60,
        metavar="SECONDS",
        help="keep retrying for so long (default: 60)",
    )
    # The option's former name.
    add("--patience", type=float, default=SUPPRESS, dest="retry_for", help=SUPPRESS)
    add("--json", action="store_true", help="print one JSON object, also on failure")
    add("--quiet", action="store_true", help="print errors only")


def _add_options_of_kinds(add: Callable[..., object]) -> None:
    add("--name", default="", help="name of the file")
    add(
        "--bundle",
        action="store_true",
        help="combine files and the results of downloads in one archive",
    )
    add("--threads", type=int, metavar="N", help="connections for a link, 1 to 16 (default: 4)")
    add("--sha256", default="", metavar="HEX", help="expected SHA-256 of a link's file")
    add("--period", default="", metavar="DAYS", help="days of a report, up to today (default: 30d)")
    add(
        "--from",
        default="",
        dest="first_day",
        metavar="DAY",
        help="first day of a report, such as 2026-10-01",
    )
    add(
        "--to",
        default="",
        dest="last_day",
        metavar="DAY",
        help="last day of a report, such as 2026-10-31",
    )
    add(
        "--format",
        default="",
        metavar="NAME",
        help="format of a report: pdf, csv or json (default: pdf)",
    )
    add("--everybody", action="store_true", help="report on everyone's downloads (staff only)")


def _add_options_of_new_downloads(add: Callable[..., object]) -> None:
    add("--priority", type=int, metavar="N", help="priority, 0 to 9 (default: 4)")
    add("--run-at", default="", metavar="TIME", help="start time, such as 2026-11-23T06:00:00Z")
    add(
        "--after",
        default=[],
        action="append",
        metavar="ID",
        help="start after this download; repeatable",
    )
    add("--email", action=BooleanOptionalAction, help="send an email when it finishes")
    add("--webhook", default="", metavar="URL", help="URL that receives a POST when it finishes")
