"""`manage.py seed_load`: insert many finished jobs, for load tests."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs.operations.load_rows import Load, insert_load


class Command(BaseCommand):
    help = (
        "Insert finished jobs of the past year with their events, files and e-mails, for load"
        " tests. Their objects are missing in the bucket. Not in production."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        for name, default, text in [
            ("--jobs", 100_000, "how many jobs"),
            ("--owners", 1_000, "of how many users, load-1 and so on"),
            ("--days", 365, "over how many past days"),
        ]:
            help_text = f"{text} (default: {default:,})"
            parser.add_argument(name, type=int, default=default, metavar="N", help=help_text)

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError(
                "Not in production: the jobs would belong to users who do not exist."
            )
        load = Load(jobs=options["jobs"], owners=options["owners"], days=options["days"])
        if min(load.jobs, load.owners, load.days) < 1:
            raise CommandError("--jobs, --owners and --days are at least 1.")
        began = time.monotonic()
        for inserted in insert_load(load):
            self.stdout.write(f"{inserted:,} jobs, {time.monotonic() - began:.0f} s")
