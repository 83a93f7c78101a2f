"""`manage.py download`: the client of downloads_client/ as a management command.

It uses the HTTP API like any other client. Only the defaults of `make run` come from the settings.
"""

from __future__ import annotations

import sys
from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
)

from downloads_client.arguments import DESCRIPTION, EPILOG, add_arguments, raise_usage_errors
from downloads_client.command import DownloadCommand, report_command_usage
from downloads_client.commands import command_of
from downloads_client.failures import UsageError
from downloads_client.streams import open_missing_streams


class Help(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Keeps the line breaks of the exit codes."""


class Command(BaseCommand):
    help = DESCRIPTION
    requires_system_checks = []  # a machine without a database can run it

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs |= {"epilog": EPILOG, "formatter_class": Help}
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        raise_usage_errors(parser)
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def run_from_argv(self, argv: list[str]) -> None:
        """Run the command. Invalid arguments, too, are reported as JSON if `--json` is given."""
        open_missing_streams()
        try:
            if command := command_of(argv[2:], _run_json()):
                sys.exit(command.run())
            super().run_from_argv(argv)
        except UsageError as error:
            sys.exit(report_command_usage(error, argv))

    def execute(self, *args: Any, **options: Any) -> Any:
        try:
            return super().execute(*args, **options)
        except CommandError as error:  # from options of Django
            raise UsageError(str(error)) from error

    def handle(self, *args: Any, **options: Any) -> NoReturn:
        invocation = [sys.orig_argv[0], sys.argv[0], "download"]
        sys.exit(DownloadCommand(options, invocation=invocation, run_json=_run_json()).run())


def _run_json() -> Path:
    return Path(getattr(settings, "STACK_FOLDER", ".stack")) / "run.json"
