"""`manage.py strays`: find objects in the bucket that belong to no row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from jobs import storage
from jobs.engine import garbage


class Command(BaseCommand):
    help = (
        "List objects and multipart uploads without a job in the database. The"
        " dispatcher deletes what finished jobs leave behind; this finds later ones."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--hours", type=float, default=24, help="minimum age in hours (default: 24)"
        )
        parser.add_argument("--delete", action="store_true", help="delete them")

    def handle(self, *args: Any, **options: Any) -> None:
        before = datetime.now(UTC) - timedelta(hours=options["hours"])
        count = 0
        for key in garbage.find_garbage(before):
            self.stdout.write(key)
            count += 1
            if options["delete"]:
                storage.delete_object_and_uploads(key)
        self.stdout.write(f"{count} {'deleted' if options['delete'] else 'found'}")
