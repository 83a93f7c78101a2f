"""`manage.py make_bucket`: create the bucket, without the files and users of `seed_demo`.

Pages of CORS_ALLOWED_ORIGINS may read its presigned URLs.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from jobs import storage
from jobs.errors import BuildError

NO_CORS = (
    "The file store accepted no CORS rule ({code}). Allow CORS_ALLOWED_ORIGINS in its own settings,"
    " unless it allows all origins, as MinIO does by default."
)


class Command(BaseCommand):
    help = "Create the bucket S3_BUCKET, unless it exists; allow CORS_ALLOWED_ORIGINS to read it."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            storage.make_bucket()
            self._allow_origins(settings.CORS_ALLOWED_ORIGINS)
        except BuildError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"bucket: {storage.bucket().bucket_name}")

    def _allow_origins(self, origins: list[str]) -> None:
        if origins and (code := storage.allow_origins(origins)):
            self.stderr.write(NO_CORS.format(code=code))
