"""`manage.py lifecycle`: set the bucket's lifecycle rules."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs import storage
from jobs.errors import BuildError
from jobs.kinds.registry import kind_folders


class Command(BaseCommand):
    help = (
        "Write the bucket's lifecycle rules: when objects move to a colder storage class, when"
        " they expire, when unfinished uploads end. Other rules are kept."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--cold-days",
            type=int,
            default=30,
            metavar="N",
            help="days until objects move to STANDARD_IA; 0: never (default: 30)",
        )
        parser.add_argument(
            "--expire-days",
            type=int,
            default=365,
            metavar="N",
            help="days until the store deletes objects (default: 365)",
        )
        either = parser.add_mutually_exclusive_group()
        either.add_argument("--show", action="store_true", help="only print the current rules")
        either.add_argument("--dry-run", action="store_true", help="only print the new rules")

    def handle(self, *args: Any, **options: Any) -> None:
        days = {name: options[name] for name in ("cold_days", "expire_days")}
        try:
            if options["show"]:
                self._print(storage.stored_lifecycle_rules())
            elif options["dry_run"]:
                self._print(
                    storage.merge_lifecycle_rules(storage.lifecycle_rules(kind_folders(), **days))
                )
            else:
                self._write(storage.lifecycle_rules(kind_folders(), **days))
        except (ValueError, BuildError) as error:
            raise CommandError(str(error)) from error

    def _write(self, ours: list[dict[str, Any]]) -> None:
        storage.write_lifecycle_rules(storage.merge_lifecycle_rules(ours))
        self._print(storage.stored_lifecycle_rules())
        if left_out := storage.missing_lifecycle_actions(ours):
            raise CommandError(f"The file store accepted the rules except: {', '.join(left_out)}.")

    def _print(self, rules: list[dict[str, Any]]) -> None:
        self.stdout.write(json.dumps({"Rules": rules}, indent=2, default=str))
