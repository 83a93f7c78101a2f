"""`manage.py forget_user`: delete a user with all data and files."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs.engine.personal_data import cancel_jobs, count_personal_data, forget_user
from jobs.errors import BuildError
from jobs.models import DownloadJob


class Command(BaseCommand):
    help = (
        "Delete a user: jobs with their history, files and objects, uploads, notifications,"
        " settings, tokens, sessions and the account. Statistics without names stay."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--cancel", action="store_true", help="cancel active jobs first")
        parser.add_argument("--dry-run", action="store_true", help="only print what there is")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['username']}.")
        counts = count_personal_data(user)
        found = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        if options["dry_run"]:
            self.stdout.write(f"{user} has {found}")
            return
        if options["cancel"]:
            cancel_jobs(user)
        if active := DownloadJob.objects.filter(owner=user).unfinished().count():
            raise CommandError(f"{active} jobs are active. Wait for them, or use --cancel.")
        try:
            forget_user(user)
        except BuildError as error:
            raise CommandError(f"{error} Some of it is left: run the command again.") from error
        self.stdout.write(f"Deleted {user}: {found}")
