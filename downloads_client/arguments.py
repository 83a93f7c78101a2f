"""The arguments and options of the command line."""

from __future__ import annotations

import sys
from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from textwrap import fill
from typing import Any, NoReturn

from downloads_client.download_request import ITEMS_HELP
from downloads_client.failures import EXIT_CODES, UsageError
from downloads_client.formatting import format_alternatives
from downloads_client.kinds import KINDS
from downloads_client.kinds.published_kind import FIELD_OPTIONS
from downloads_client.login import API_KEY
from downloads_client.new_download import COMMON_OPTIONS

DESCRIPTION = (
    f"Download {format_alternatives([kind.description for kind in KINDS])}. Shows progress, and"
    " verifies the file."
)
COMMANDS_HELP = """commands:
  downloads upload FILE...  upload files
  downloads files           list files
  downloads jobs            list downloads
  downloads delete ITEM...  delete downloads and files
  downloads restore ID...   undo that, for ten seconds
"""
_EXIT_CODES = [f"  {code:3}  {why}" for code, why in EXIT_CODES.items()]
EPILOG = "\n".join([COMMANDS_HELP, "exit codes:", *_EXIT_CODES])


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
        help=ITEMS_HELP,
    )
    add(
        "--output",
        default=".",
        metavar="PATH",
        help="a folder, a file, or - for stdout (default: .)",
    )
    add("--force", action="store_true", help="overwrite existing files")
    add("--name", default="", help="name of the file")
    for group in (*(kind.options for kind in KINDS), FIELD_OPTIONS, COMMON_OPTIONS):
        for option in group.options:
            option.add_to(add)
    add_service_arguments(add)


def add_service_arguments(add: Callable[..., Any]) -> None:
    """Add the options that all commands have."""
    add(
        "--service",
        default="",
        metavar="URL",
        help="URL of the service (default: the one of `make run`)",
    )
    add(
        "--user",
        default="",
        help=f"user name (default: the one of `make run`; with --service, {API_KEY} replaces it)",
    )
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
