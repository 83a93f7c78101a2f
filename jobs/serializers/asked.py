"""What may be asked for, per kind."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from jobs.models import Upload
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


class ChunkedRequest(StrictSerializer):
    """A file that will come in chunks. `sha256` is what it has to have."""

    fileName = Text(max_length=255)
    totalSize = Whole(min_value=1, max_value=settings.MAX_CHUNKED_UPLOAD_BYTES)
    sha256 = Sha256(required=False)
    priority = Whole(required=False, min_value=0, max_value=9)

    def asked(self) -> dict[str, Any]:
        """The arguments of `uploads.begin`."""
        rest = dict(self.validated_data)
        return {"name": rest.pop("fileName"), "size_bytes": rest.pop("totalSize"), **rest}


class UploadForm(StrictSerializer):
    """A form with one file; forms.py reads it as it comes."""

    file = serializers.FileField()


class ChunkRequest(StrictSerializer):
    """The fields of a form that brings a chunk. They are text, as in any form."""

    jobId = serializers.UUIDField()
    chunkIndex = serializers.IntegerField(min_value=0, max_value=10_000)
    totalChunks = serializers.IntegerField(min_value=1, max_value=10_000)

    def number_in(self, upload: Upload) -> int:
        """Of the chunk. Raises ValidationError where the upload has none of that number."""
        number, total = (self.validated_data[name] for name in ("chunkIndex", "totalChunks"))
        if total != upload.chunks:
            raise serializers.ValidationError({"totalChunks": [f"It has {upload.chunks:,}."]})
        if number >= total:
            raise serializers.ValidationError({"chunkIndex": [f"The last one is {total - 1:,}."]})
        return int(number)


class ChunkForm(ChunkRequest):
    """The same, and the chunk: `chunkSize` bytes from `chunkIndex * chunkSize` on."""

    chunk = serializers.FileField()


class CheckRequest(StrictSerializer):
    """The number of a file."""

    file_id = FileIdField()
