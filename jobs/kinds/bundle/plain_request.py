"""The requests that the native endpoint accepts: ids of files, perhaps with a name."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from jobs.kinds.base import JobParams
from jobs.models.stored_file import MAX_FILE_ID, MIN_FILE_ID
from jobs.web.serializers.fields import MAX_NAME_CHARS


def plain_bundle_request(data: Any) -> tuple[JobParams, str] | None:
    """Return params and name; None unless a serializer would accept the data as it is."""
    if not isinstance(data, dict) or not {"file_ids"} <= data.keys() <= {"file_ids", "name"}:
        return None
    file_ids, name = data["file_ids"], data.get("name", "")
    if not (isinstance(file_ids, list) and 0 < len(file_ids) <= settings.MAX_FILES_PER_BUNDLE):
        return None
    if not all(type(each) is int and MIN_FILE_ID <= each <= MAX_FILE_ID for each in file_ids):
        return None
    if "name" in data and not _is_plain_name(name):
        return None
    return {"file_ids": list(dict.fromkeys(file_ids))}, name


def _is_plain_name(name: Any) -> bool:
    """Return True if a serializer would not change the name."""
    is_text = isinstance(name, str) and name.isprintable() and name == name.strip()
    return is_text and 0 < len(name) <= MAX_NAME_CHARS
