"""The responses about links, with second names of members for older clients."""

from __future__ import annotations

from rest_framework import serializers

from jobs.kinds.base import Body, Job
from jobs.kinds.remote.kind import Remote
from jobs.kinds.remote.older_names import older_remote_names
from jobs.web.serializers import JobSerializer


class LinkJob(JobSerializer):
    """A link. Some members have a second name for older clients."""

    example_kind = Remote.name
    job_id = serializers.UUIDField(source="id")
    bytes_downloaded = serializers.IntegerField(source="done")
    total_bytes = serializers.IntegerField(source="total", allow_null=True)

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "job_id", "bytes_downloaded", "total_bytes"]

    variant = staticmethod(older_remote_names)


class AcceptedLink(LinkJob):
    """A new link."""

    @staticmethod
    def variant(job: Job, body: Body) -> Body:
        return older_remote_names(job, body) | {"message": "Download job enqueued successfully"}
