"""The requests of uploads, in one form or in chunks."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from jobs.models import IncomingUpload
from jobs.web.serializers import Sha256, StrictSerializer, TermsRequest, TextField
from jobs.web.serializers.fields import Binary


class ChunkedRequest(TermsRequest):
    """A file to upload in chunks. `sha256` is its expected hash.

    The other fields apply to the job that processes it.
    """

    fileName = TextField(max_length=255)
    totalSize = serializers.IntegerField(min_value=1, max_value=settings.MAX_CHUNKED_UPLOAD_BYTES)
    sha256 = Sha256(required=False)

    def upload_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of `begin_chunks` for this request."""
        data = self.validated_data
        file = {"name": data["fileName"], "size_bytes": data["totalSize"]}
        return file | {"sha256": data.get("sha256", ""), "terms": self.terms()}


class UploadForm(TermsRequest):
    """A form with one file. The ids in `after` are separated by commas."""

    # For the OpenAPI document: multipart_form.py reads the form.
    file = Binary()
    after = TextField(required=False)  # type: ignore[assignment] # a form has no lists


class ChunkRequest(StrictSerializer):
    """The fields of a form with a chunk."""

    is_json = False
    jobId = serializers.UUIDField()
    chunkIndex = serializers.IntegerField(min_value=0, max_value=10_000)
    totalChunks = serializers.IntegerField(min_value=1, max_value=10_000)

    def number_in(self, upload: IncomingUpload) -> int:
        """Return the number of the chunk. Raises ValidationError if it is out of range."""
        number, total = (self.validated_data[name] for name in ("chunkIndex", "totalChunks"))
        if total != upload.chunks:
            raise serializers.ValidationError({"totalChunks": [f"It has {upload.chunks:,}."]})
        if number >= total:
            raise serializers.ValidationError({"chunkIndex": [f"The last one is {total - 1:,}."]})
        return int(number)


class ChunkForm(ChunkRequest):
    """A form with a chunk: the `chunkSize` bytes from `chunkIndex * chunkSize` on."""

    chunk = Binary()
