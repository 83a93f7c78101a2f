"""`manage.py register`: make the objects of a bucket available as files."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from rest_framework.exceptions import ValidationError

from jobs.errors import BuildError
from jobs.kinds.base import Kind
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob

PRINT_SECONDS = 2


class Command(BaseCommand):
    help = (
        "Register the objects below s3://BUCKET/PREFIX as files. Each new or changed object is read"
        " once; run it again to notice what is new, changed or gone. It runs here, not as a job;"
        " after an interruption, run it again. Exit status 1 if something is left to do."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("url", metavar="s3://BUCKET/PREFIX")
        seen_by = parser.add_mutually_exclusive_group(required=True)
        seen_by.add_argument("--owner", metavar="NAME", help="the user who sees the files")
        seen_by.add_argument("--group", metavar="NAME", help="the group whose members see them")
        seen_by.add_argument("--public", action="store_true", help="everybody sees them")
        parser.add_argument("--folder", default="", help="the folder that their names begin with")

    def handle(self, *args: Any, **options: Any) -> None:
        kind, work = _kind(), PrintedWork(self.stderr)
        params = _validated(kind, options)
        try:
            kind.build(kind.load(DownloadJob(kind=kind.name, params=params)), work)  # type: ignore[arg-type]
        except BuildError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. Run it again to continue.", returncode=130) from None
        self.stdout.write(work.message)
        if skipped := work.facts["skipped"]:
            raise CommandError(f"{skipped:,} objects changed while they were read. Run it again.")


def _kind() -> Kind:
    """Return the kind that answers `POST /v1/files`. Raises CommandError."""
    for kind in KINDS.values():
        if kind.api_url_name == "files":
            return kind
    raise CommandError("The setting KINDS has no kind that registers files.")


def _validated(kind: Kind, options: dict[str, Any]) -> dict[str, Any]:
    """Return the params of the kind. Raises CommandError with the first error."""
    url = urlsplit(options["url"])
    if url.scheme != "s3" or not url.netloc:
        raise CommandError("Give a bucket and a prefix, as in s3://media/invoices/.")
    prefix = options["url"].removeprefix(f"s3://{url.netloc}").removeprefix("/")
    names = ("owner", "group", "public", "folder")
    given = {name: options[name] for name in names if options[name]}
    fields = kind.Params(data={"bucket": url.netloc, "prefix": prefix} | given)
    try:
        fields.is_valid(raise_exception=True)
    except ValidationError as error:
        details: Any = error.detail
        name, messages = next(iter(details.items()))
        raise CommandError(f"{name}: {messages[0]}") from error
    return dict(fields.validated_data)


class PrintedWork:
    """What the builder needs of a Workspace. Prints its progress every few seconds."""

    checkpoint = None

    def __init__(self, output: OutputWrapper) -> None:
        self._output, self._printed_at = output, time.monotonic()
        self.message = ""
        self.facts: dict[str, Any] = {}

    def plan(self, total: int | None, unit: str) -> None:
        pass

    def advance(self, amount: int, *, threads: int = 0) -> None:
        pass

    def save_checkpoint(self, value: Any) -> None:
        pass

    def note(self, **facts: Any) -> None:
        self.facts |= facts

    def say(self, message: str) -> None:
        self.message = message
        if time.monotonic() - self._printed_at > PRINT_SECONDS:
            self._output.write(message)
            self._printed_at = time.monotonic()
