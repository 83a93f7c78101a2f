"""What the commands `upload`, `files` and `jobs` share: sign-in, signals, the outcome."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from argparse import ArgumentParser
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from downloads_client.access_token import AccessToken
from downloads_client.arguments import add_service_arguments, raise_usage_errors
from downloads_client.command import SIGNALS, terminate_command
from downloads_client.failures import Failure, NotWritten, Terminated, UsageError
from downloads_client.login import find_login
from downloads_client.options import decode_options
from downloads_client.outcome import CommandOutcome
from downloads_client.progress import display_for
from downloads_client.retry import Retry
from downloads_client.service import Service
from downloads_client.streams import copy_to_stdout, open_missing_streams, print_to_stderr

OnPause = Callable[[str, float], None]


class TerminalCommand:
    """One run of a command. Subclasses say what it does, and what it prints on stdout."""

    name = ""
    help = ""
    resumable: frozenset[int] = frozenset()  # exit codes after which the command can be continued

    def __init__(self, argv: list[str], *, run_json: Path) -> None:
        parser = ArgumentParser(f"downloads {self.name}", description=self.help)
        self.add_arguments(parser)
        add_service_arguments(parser.add_argument)
        parser.add_argument("--traceback", action="store_true", help="show the traceback of a bug")
        raise_usage_errors(parser)
        self.options: dict[str, Any] = vars(parser.parse_args(argv))
        self.display = display_for(sys.stderr, quiet=self.options["quiet"])
        self._run_json = run_json

    def add_arguments(self, parser: ArgumentParser) -> None:
        raise NotImplementedError

    def work(self) -> None:
        """Do what the command does. Raises a Failure."""
        raise NotImplementedError

    def lines(self) -> list[str]:
        """Return what is printed on stdout, also after a failure."""
        raise NotImplementedError

    def as_json(self) -> dict[str, Any]:
        """Return the members for --json, beside those of the outcome."""
        raise NotImplementedError

    def run(self) -> int:
        """Return the exit code. Replaces the handlers of SIGTERM and SIGHUP."""
        signal.signal(signal.SIGTERM, terminate_command)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup
            signal.signal(signal.SIGHUP, terminate_command)
        open_missing_streams()
        try:
            with self.display:
                if not self.options["retry_for"] >= 0:  # false for NaN, too
                    raise UsageError("--retry-for needs a number of seconds.")
                self.options = decode_options(self.options)
                self.work()
            outcome = CommandOutcome(0)
        except (Exception, KeyboardInterrupt, Terminated) as error:
            if self.options["traceback"] and not isinstance(error, Failure):
                traceback.print_exception(error)
            outcome = CommandOutcome.of(error)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # nothing may interrupt the report
        return self._report(outcome)

    def services(self) -> Callable[[OnPause], Service]:
        """Sign in, and return a function that makes a Service for a thread."""
        options = self.options
        login = find_login(
            options["service"],
            options["user"],
            self._run_json,
            from_stdin=options["password_stdin"],
        )
        token = AccessToken()
        return lambda on_pause: Service(login, lambda: Retry(options["retry_for"], on_pause), token)

    def _report(self, outcome: CommandOutcome) -> int:
        if outcome.message:
            print_to_stderr(outcome.message)
        if outcome.exit_code in self.resumable:
            print_to_stderr("To resume, run the same command again.")
        if self.options["json"]:
            error = {"error": outcome.message or None, "errorCode": outcome.code or None}
            body = {"exitCode": outcome.exit_code} | self.as_json() | error
            output = json.dumps(body).encode() + b"\n"
        else:
            output = b"".join(os.fsencode(line) + b"\n" for line in self.lines())
        try:
            copy_to_stdout(BytesIO(output))
        except NotWritten as failure:
            print_to_stderr(str(failure))
            return failure.exit_code
        return outcome.exit_code
