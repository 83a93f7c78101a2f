"""What a stored file is."""

from __future__ import annotations

from enum import auto

from django.db import models


class Role(models.TextChoices):
    """What a file is. Any other role is of a file that a job made beside its artifact."""

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name.lower()

    CATALOGUE = auto()
    ARTIFACT = auto()
    UPLOAD = auto()  # not checked yet; cannot be downloaded
    QUARANTINED = auto()  # infected; cannot be downloaded
