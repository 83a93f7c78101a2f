"""Check the names of buckets. Connects to nothing."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

NAME = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@register
def check_bucket_names(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"BUCKETS has {name!r}, which is not the name of a bucket.",
            hint="Use 3 to 63 lower-case letters, digits, dots and hyphens, as in media,archive.",
            id="jobs.E047",
        )
        for name in settings.BUCKETS
        if not NAME.fullmatch(name)
    ]
