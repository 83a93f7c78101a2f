"""What may be asked for, per kind."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from jobs.remote_file.targets import MAX_URL_CHARS
from jobs.serializers.fields import (
    FileIdField,
    FileIdsField,
    Sha256,
    StrictSerializer,
    Text,
    Url,
    Whole,
)

THREADS = 4  # connections, where nobody says how many


class Wanted(StrictSerializer):
    """What one kind of job may be asked for."""

    def asked(self) -> dict[str, Any]:
        """The keyword arguments of `submit` that say what is wanted."""
        raise NotImplementedError


class BundleRequest(Wanted):
    """`file_ids` twice the same is once. `name` is what the archive is called."""

    file_ids = FileIdsField(allow_empty=False, max_length=settings.MAX_FILES_PER_BUNDLE)
    name = Text(required=False, max_length=200)
    priority = Whole(required=False, min_value=0, max_value=9)

    def validate_file_ids(self, file_ids: list[int]) -> list[int]:
        return list(dict.fromkeys(file_ids))

    def asked(self) -> dict[str, Any]:
        rest = dict(self.validated_data)
        return {"kind": "bundle", "params": {"file_ids": rest.pop("file_ids")}, **rest}


class RemoteRequest(Wanted):
    """`output` is what the file is called; without it, what the other side or the URL says.

    `threads` is how many connections are used at most, `sha256` what the file has to have.
    """

    url = Url(max_length=MAX_URL_CHARS)
    output = Text(required=False, max_length=200)
    threads = Whole(default=THREADS, min_value=1, max_value=16)
    sha256 = Sha256(required=False)
    priority = Whole(required=False, min_value=0, max_value=9)

    def asked(self) -> dict[str, Any]:
        rest = dict(self.validated_data)
        of_kind = ("url", "output", "threads", "sha256")
        params = {name: rest.pop(name) for name in of_kind if name in rest}
        return {"kind": "remote", "params": params, "name": params.get("output", ""), **rest}


class CheckRequest(StrictSerializer):
    """The number of a file."""

    file_id = FileIdField()
