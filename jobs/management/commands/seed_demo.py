"""`manage.py seed_demo`: create the bucket, sample files and two users."""

from __future__ import annotations

import hashlib
import secrets
import zlib
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.core.management.base import BaseCommand

from jobs import storage
from jobs.lib.accounts import username_field
from jobs.models import StoredFile
from jobs.operations import demo_files


class Command(BaseCommand):
    help = "Create the bucket, about 60 MB of sample files from number 70000 on, and two users."

    def handle(self, *args: Any, **options: Any) -> None:
        storage.make_bucket()
        self._user("demo", settings.DEMO_PASSWORD, is_operator=False)
        self._user("operator", settings.OPERATOR_PASSWORD, is_operator=True)
        made = [_store(*entry) for entry in demo_files.demo_files()]
        size = sum(file.size_bytes for file in made)
        self.stdout.write(f"catalogue: {len(made)} files, {size / 1e6:.0f} MB")

    def _user(self, name: str, password: str, *, is_operator: bool) -> None:
        if not password:
            password = secrets.token_urlsafe(9)
            self.stdout.write(f"{name}: password {password}")
        named: dict[str, Any] = {username_field(): name}
        user, _ = get_user_model()._default_manager.get_or_create(**named)
        user.email = user.email or f"{name}@localhost"
        user.is_staff = user.is_superuser = is_operator
        if not user.check_password(password):  # a new hash would end the user's sessions
            user.set_password(password)
        user.save()


def _store(file_id: int, name: str, content_type: str, make: Any) -> StoredFile:
    """Return the file's row. Creates the row and the object if one of them is missing."""
    file = StoredFile.objects.filter(file_id=file_id).first()
    if file and storage.object_exists(file.key, file.size_bytes):
        return file
    content = make()
    key = f"catalogue/{file_id}/{name}"
    storage.bucket().save(key, ContentFile(content))
    described = {
        "key": key,
        "name": name,
        "content_type": content_type,
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "crc32": zlib.crc32(content),
    }
    return StoredFile.objects.update_or_create(file_id=file_id, defaults=described)[0]
