"""`manage.py resume`: end pauses that `manage.py pause` or an operator in the admin began."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs.engine.pauses import resume
from jobs.models import QueueLimit
from jobs.operations.queue_parts import add_part_arguments, chosen_part


class Command(BaseCommand):
    help = (
        "End a pause. Without an argument it is that of the whole service; limits stay."
        " Jobs that may start now do so at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        part = add_part_arguments(parser)
        part.add_argument("--all", action="store_true", help="end all pauses")

    def handle(self, *args: Any, **options: Any) -> None:
        limits = QueueLimit.objects.select_related("owner")
        if not options["all"]:
            part = chosen_part(options)
            limits = limits.filter(scope=part.scope, name=part.name, owner=part.owner)
        resumed = resume(limits)
        paused = QueueLimit.objects.paused().select_related("owner").order_by("scope", "name")
        still = "; ".join(map(str, paused))
        if not resumed and not options["all"]:
            hint = f" Paused: {still}." if still else ""
            raise CommandError(f"Not paused: {part}.{hint}")
        self.stdout.write(
            f"Resumed: {'; '.join(map(str, resumed))}." if resumed else "Nothing is paused."
        )
        if still:
            self.stdout.write(f"Still paused: {still}.")
