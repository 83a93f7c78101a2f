"""`manage.py download 70000 70001`: ask the running service for files, for a link or for a report,
wait, fetch, verify.

A client like any other: what it does is in downloads_client/, over HTTP. Here are its arguments,
and what is said at the end. Beside `make run` the numbers do: `.stack/run.json` has the rest.
"""

from __future__ import annotations

import json
import os
import select
import shlex
import shutil
import signal
import sys
import tempfile
import traceback
from argparse import BooleanOptionalAction, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO, NoReturn

from django.conf import settings
from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
)

from downloads_client.compare import compare
from downloads_client.destination import Place
from downloads_client.download import Errand
from downloads_client.errors import EXIT_CODES, Failure, Misused, NotWritten, Terminated
from downloads_client.formatting import printable
from downloads_client.login import login
from downloads_client.options import Beside
from downloads_client.outcome import Ending, wants_json
from downloads_client.partial_file import not_written, told_of
from downloads_client.progress import display
from downloads_client.requests import Wish, file_ids_of, understood
from downloads_client.retry import Patience
from downloads_client.service import Service

RUN = settings.STACK_FOLDER / "run.json"
STDOUT = "-"


class Help(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Keeps the exit codes a line each."""


class Command(BaseCommand):
    help = (
        "Asks the service for files as one archive, for the file that a link leads to, or for a"
        " report on what was asked for; shows how far it is, fetches and verifies it."
    )
    requires_system_checks = []  # it may run where there is no database
    options: dict[str, Any]
    errand: Errand | None = None

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        lines = [f"  {code:3}  {meaning}" for code, meaning in EXIT_CODES.items()]
        kwargs |= {"epilog": "\n".join(["exit codes:", *lines]), "formatter_class": Help}
        parser = super().create_parser(prog_name, subcommand, **kwargs)

        def error(message: str) -> NoReturn:
            parser.print_usage(sys.stderr)
            raise Misused(f"{prog_name} {subcommand}: error: {message}")

        parser.error = error  # type: ignore[method-assign]
        return parser

    def run_from_argv(self, argv: list[str]) -> None:
        """Print one object on stdout for an invalid command line too, if --json is in it."""
        open_streams()
        self.options = {"json": wants_json(argv), "traceback": False}
        try:
            super().run_from_argv(argv)
        except Misused as failure:
            sys.exit(self._tell(Ending.of(failure)))

    def execute(self, *args: Any, **options: Any) -> Any:
        try:
            return super().execute(*args, **options)
        except CommandError as error:  # of options that are Django's own
            raise Misused(str(error)) from error

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add(
            "wanted",
            nargs="+",
            help="numbers of files (70000 70001), a link (https://...), the word report, or the id"
            " of a download",
        )
        add("--output", default=".", metavar="PATH", help="a folder, a file, or - for stdout (.)")
        add("--force", action="store_true", help="overwrite what is there")
        add_wishes(add)
        add_terms(add)
        add("--service", default="", metavar="URL", help="that of `make run` by default")
        add("--user", default="", help="who asks; that of `make run` by default")
        add("--password-stdin", action="store_true", help="read it there, and ask nobody for it")
        add("--compare", action="store_true", help="also each member with the file it came from")
        add("--patience", type=float, default=60, metavar="SECONDS", help="try so long again (60)")
        add("--json", action="store_true", help="one object on stdout, also if the download fails")
        add("--quiet", action="store_true", help="no progress, only what went wrong")

    def handle(self, *args: Any, **options: Any) -> NoReturn:
        signal.signal(signal.SIGTERM, terminate)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup
            signal.signal(signal.SIGHUP, terminate)
        open_streams()
        self.options = options
        self.display = display(sys.stderr, quiet=options["quiet"])
        try:
            with self.display:
                end = Ending(0, path=self._download())
        except (Exception, KeyboardInterrupt, Terminated) as error:
            end = self._ending(error)
        with suppress(KeyboardInterrupt, Terminated):  # where the offer does not hear of it yet
            if end.code == "interrupted":
                self._offer_to_cancel()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # nobody is kept any more: let it be said
        sys.exit(self._tell(end))

    def _ending(self, error: BaseException) -> Ending:
        """Convert any error, so that a bug does not exit with the code of a failed job."""
        if self.options["traceback"] and not isinstance(error, Failure):
            traceback.print_exception(error)
        return Ending.of(error)

    def _download(self) -> Path | None:
        """Where the file is; None where it went to stdout."""
        options = self.options = as_utf8(self.options)
        if not options["patience"] >= 0:  # nor is it no number
            raise Misused("--patience is a number of seconds.")
        wish = understood(options["wanted"], Beside.of(options))
        if options["compare"] and not file_ids_of(wish):
            raise Misused("--compare needs the numbers of the files.")
        if options["output"] != STDOUT:
            return self._fetched(wish, Place(options["output"], force=options["force"]))
        if options["json"]:
            raise Misused("--json and --output - both want stdout.")
        with temporary_folder() as folder:  # so that nothing unverified gets out
            path = self._fetched(wish, Place(f"{folder}/", force=False))
            with told_of(path):
                file = path.open("rb")
            with file:
                to_stdout(file)
        return None

    def _fetched(self, wish: Wish, place: Place) -> Path:
        options, seconds = self.options, self.options["patience"]
        who = login(options["service"], options["user"], RUN, from_stdin=options["password_stdin"])
        service = Service(who, patience=lambda: Patience(seconds, self.display.pausing))
        self.errand = Errand(service, place, self.display, patience_seconds=seconds)
        path = self.errand.run(wish)
        if options["compare"]:
            compare(service, path, file_ids_of(wish), self.display)
        return path

    def _offer_to_cancel(self) -> None:
        """Ask whether the job is wanted any longer, if there is one, and somebody to ask."""
        errand = self.errand
        job = errand.job if errand else None
        if not errand or not job or not job.is_active:
            return
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return
        try:
            say("\nThe service goes on making it. Cancel it too? [y/N] ", end="")
            if typed().strip().lower() in ("y", "yes"):
                with self.display:
                    job = errand.cancel(job)
                say(f"The download is {job.status}.")
        except Failure as failure:
            say(f"It could not be cancelled. {failure}")
        except (KeyboardInterrupt, Terminated):
            say("")

    def _tell(self, end: Ending) -> int:
        """The last words: for people on stderr, the outcome on stdout. The exit code."""
        go_on = self._go_on(end)
        if end.sentence:
            say(end.sentence)
        if go_on:
            say(f"To go on: {go_on}")
        outcome = b""
        if self.options["json"]:
            outcome = json.dumps(end.as_json(self.errand, go_on)).encode() + b"\n"
        elif end.path:
            outcome = os.fsencode(end.path) + b"\n"
        try:
            to_stdout(BytesIO(outcome))
        except NotWritten as failure:
            say(str(failure))
            return failure.exit_code
        return end.exit_code

    def _go_on(self, end: Ending) -> str:
        """The command that follows this download to its end; empty where there is no such end."""
        job = self.errand.job if self.errand else None
        if not job or not end.may_go_on(job):
            return ""
        words = [sys.orig_argv[0], sys.argv[0], "download", str(job.id)]
        for name, default in (("output", "."), ("service", ""), ("user", "")):
            if self.options[name] != default:
                words.append(f"--{name}={self.options[name]}")
        for name in ("force", "password_stdin"):
            if self.options[name]:
                words.append("--" + name.replace("_", "-"))
        return shlex.join(words)


def add_wishes(add: Callable[..., object]) -> None:
    add("--name", default="", help="what the file shall be called")
    add("--bundle", action="store_true", help="of ids, too: one archive of what these made")
    add("--threads", type=int, metavar="N", help="connections for a link, 1 to 16 (4)")
    add("--sha256", default="", metavar="HEX", help="what a link's file has to have")
    add("--period", default="", metavar="DAYS", help="of a report: so many, up to today (30d)")
    add("--from", default="", dest="first_day", metavar="DAY", help="of a report: 2026-10-01")
    add("--to", default="", dest="last_day", metavar="DAY", help="of a report: 2026-10-31")
    add("--format", default="", metavar="NAME", help="of a report: pdf, csv or json (pdf)")
    add("--everybody", action="store_true", help="a report on what all asked for; for staff")


def add_terms(add: Callable[..., object]) -> None:
    """Of every new download."""
    add("--priority", type=int, metavar="N", help="how urgent it is, 0 to 9 (4)")
    add("--run-at", default="", metavar="TIME", help="not before: 2026-11-23T06:00:00Z")
    add("--after", default=[], action="append", metavar="ID", help="once that is done; repeatable")
    add("--email", action=BooleanOptionalAction, help="a mail at its end, or none")
    add("--webhook", default="", metavar="URL", help="what is told of its end")


def open_streams() -> None:
    """What is closed, as under a daemon, is None to Python."""
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def as_utf8(options: dict[str, Any]) -> dict[str, Any]:
    """Decode arguments as UTF-8 even in an ASCII locale. Raises Misused."""
    return {name: texts if name == "output" else _text(texts) for name, texts in options.items()}


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(each) for each in value]
    if not isinstance(value, str) or value.isascii():
        return value
    try:
        # What the locale could not read came as surrogates: PEP 383.
        return value.encode("utf-8", "surrogateescape").decode()
    except UnicodeError as error:
        raise Misused(f"{printable(value)} is no UTF-8.") from error


@contextmanager
def temporary_folder() -> Iterator[str]:
    """Raises NotWritten."""
    try:
        made = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    except OSError as error:
        raise not_written("A temporary folder (TMPDIR)", error) from error
    with made as folder:
        yield folder


def terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def say(text: str, end: str = "\n") -> None:
    with suppress(OSError, ValueError):  # nobody reads any more: the exit code tells
        sys.stderr.write(text + end)
        sys.stderr.flush()


def typed() -> str:
    """A line from the terminal. A signal ends the wait for it, however early that comes.

    One between Python's last look for signals and the read itself would leave it waiting.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    before = signal.set_wakeup_fd(wake)
    try:
        select.select([sys.stdin, woken], [], [])
        return sys.stdin.readline()
    except UnicodeError:  # neither yes nor no
        return ""
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(wake)


def to_stdout(source: BinaryIO) -> None:
    """Raises NotWritten."""
    if not sys.stdout:
        raise NotWritten("stdout is closed.")
    try:
        # Not sys.stdout: it would try again, and complain, while the interpreter ends.
        with open(sys.stdout.fileno(), "wb", closefd=False) as out:
            shutil.copyfileobj(source, out)
    except OSError as error:
        raise not_written("stdout", error) from error
