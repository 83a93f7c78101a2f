"""The state of an upload in chunks."""

from __future__ import annotations

from rest_framework import serializers

from jobs.models import IncomingUpload


class UploadSerializer(serializers.ModelSerializer[IncomingUpload]):
    """The state of an upload in chunks. Chunks are numbered from 0."""

    jobId = serializers.UUIDField(source="id")
    fileName = serializers.CharField(source="name")
    totalSize = serializers.IntegerField(source="size_bytes")
    chunkSize = serializers.IntegerField(source="chunk_bytes")
    totalChunks = serializers.IntegerField(source="chunks")
    receivedChunks = serializers.ListField(source="received", child=serializers.IntegerField())
    receivedSize = serializers.IntegerField(source="received_bytes")
    complete = serializers.BooleanField(source="is_complete")
    expiresAt = serializers.DateTimeField(source="expires_at", allow_null=True)

    class Meta:
        model = IncomingUpload
        fields = [
            "jobId", "fileName", "totalSize", "chunkSize", "totalChunks", "receivedChunks",
            "receivedSize", "complete", "expiresAt",
        ]  # fmt: skip


class ReceivedChunk(UploadSerializer):
    """The response to the first request, and to each chunk while others are missing."""

    received = serializers.SerializerMethodField()

    class Meta(UploadSerializer.Meta):
        fields = ["received", *UploadSerializer.Meta.fields]

    def get_received(self, upload: IncomingUpload) -> bool:
        """Return True if any chunk has been received."""
        return bool(upload.received)
