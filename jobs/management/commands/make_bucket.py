"""`manage.py make_bucket`: create the bucket, without the files and users of `seed_demo`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs import storage
from jobs.errors import BuildError


class Command(BaseCommand):
    help = "Create the bucket S3_BUCKET, unless it exists."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            storage.make_bucket()
        except BuildError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"bucket: {storage.bucket().bucket_name}")
