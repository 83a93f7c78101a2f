"""Runs the command with parsed options: downloads, prints the outcome, returns the exit code."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import traceback
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from downloads_client.destination import Destination
from downloads_client.download_request import DownloadRequest, parse_download_request
from downloads_client.downloader import Downloader
from downloads_client.failures import Failure, NotWritten, Terminated, UsageError
from downloads_client.login import find_login
from downloads_client.options import decode_options
from downloads_client.outcome import CommandOutcome, wants_json_outcome
from downloads_client.partial_file import partial_file_errors
from downloads_client.progress import display_for
from downloads_client.retry import Retry
from downloads_client.service import Service
from downloads_client.streams import (
    copy_to_stdout,
    open_missing_streams,
    print_to_stderr,
    read_stdin_line,
    temporary_folder,
)

STDOUT = "-"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DownloadCommand:
    """One run of the command.

    `invocation` are the words that start this program, for the command that resumes a download.
    `run_json` is the file in which `make run` leaves its address and its logins.
    """

    def __init__(self, options: dict[str, Any], *, invocation: list[str], run_json: Path) -> None:
        self._options = options
        self._invocation = invocation
        self._run_json = run_json
        self._download: Downloader | None = None

    def run(self) -> int:
        """Return the exit code. Replaces the handlers of SIGTERM and SIGHUP."""
        signal.signal(signal.SIGTERM, terminate_command)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup
            signal.signal(signal.SIGHUP, terminate_command)
        open_missing_streams()
        self._display = display_for(sys.stderr, quiet=self._options["quiet"])
        try:
            with self._display:
                outcome = CommandOutcome(0, path=self._save())
        except (Exception, KeyboardInterrupt, Terminated) as error:
            outcome = self._outcome_of(error)
        with suppress(KeyboardInterrupt, Terminated):  # before _offer_to_cancel catches them
            if outcome.code == "interrupted":
                self._offer_to_cancel()
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # nothing may interrupt the report
        return report_command(outcome, self._options, self._download, self._resume_command(outcome))

    def _outcome_of(self, error: BaseException) -> CommandOutcome:
        """Convert any error, so that a bug does not exit with the code of a failed job."""
        if self._options["traceback"] and not isinstance(error, Failure):
            traceback.print_exception(error)
        return CommandOutcome.of(error)

    def _save(self) -> Path | None:
        """Download to the destination. Returns its path; None for stdout or without a file."""
        options = self._options = decode_options(self._options)
        if not options["retry_for"] >= 0:  # false for NaN, too
            raise UsageError("--retry-for needs a number of seconds.")
        request = parse_download_request(options["items"], options)
        if options["output"] != STDOUT:
            return self._fetch(request, Destination(options["output"], force=options["force"]))
        if options["json"]:
            raise UsageError("--json and --output - cannot be combined: both write to stdout.")
        with temporary_folder() as folder:  # verified before the first byte is written to stdout
            path = self._fetch(request, Destination(f"{folder}/", force=False))
            if path is None:
                return None
            with partial_file_errors(path):
                file = path.open("rb")
            with file:
                copy_to_stdout(file)
        return None

    def _fetch(self, request: DownloadRequest, destination: Destination) -> Path | None:
        options, seconds = self._options, self._options["retry_for"]
        login = find_login(
            options["service"],
            options["user"],
            self._run_json,
            from_stdin=options["password_stdin"],
        )
        service = Service(login, lambda: Retry(seconds, self._display.show_retry))
        self._download = Downloader(service, destination, self._display, retry_for_seconds=seconds)
        return self._download.run(request)

    def _offer_to_cancel(self) -> None:
        """After Ctrl-C in a terminal, ask whether to cancel the active job, and do so."""
        download = self._download
        job = download.job if download else None
        if not download or not job or not job.is_active:
            return
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return
        try:
            print_to_stderr("\nThe download continues on the service. Cancel it? [y/N] ", end="")
            if read_stdin_line().strip().lower() in ("y", "yes"):
                with self._display:
                    job = download.cancel(job)
                print_to_stderr(f"The download is {job.status}.")
        except Failure as failure:
            print_to_stderr(f"It could not be cancelled. {failure}")
        except (KeyboardInterrupt, Terminated):
            print_to_stderr("")

    def _resume_command(self, outcome: CommandOutcome) -> str:
        """Return the command that resumes this download, or "" if it cannot be resumed."""
        job = self._download.job if self._download else None
        if not job or not outcome.can_resume(job):
            return ""
        words = [*self._invocation, str(job.id)]
        for name, default in (("output", "."), ("service", ""), ("user", "")):
            if self._options[name] != default:
                words.append(f"--{name}={self._options[name]}")
        for name in ("force", "password_stdin"):
            if self._options[name]:
                words.append("--" + name.replace("_", "-"))
        return shlex.join(words)


def report_command(
    outcome: CommandOutcome,
    options: dict[str, Any],
    download: Downloader | None = None,
    resume_command: str = "",
) -> int:
    """Print the message to stderr, and the path or the JSON to stdout. Returns the exit code."""
    if outcome.message:
        print_to_stderr(outcome.message)
    if resume_command:
        print_to_stderr(f"To resume: {resume_command}")
    output = b""
    if options["json"]:
        output = json.dumps(outcome.as_json(download, resume_command)).encode() + b"\n"
    elif outcome.path:
        output = os.fsencode(outcome.path) + b"\n"
    try:
        copy_to_stdout(BytesIO(output))
    except NotWritten as failure:
        print_to_stderr(str(failure))
        return failure.exit_code
    return outcome.exit_code


def report_command_usage(error: UsageError, argv: list[str]) -> int:
    """Report invalid arguments, as JSON if `--json` is among them. Returns the exit code."""
    return report_command(CommandOutcome.of(error), {"json": wants_json_outcome(argv)})


def terminate_command(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated
