"""The response to a new bundle."""

from __future__ import annotations

from rest_framework import serializers

from jobs.kinds.base import Body
from jobs.kinds.bundle.kind import FilesBundle
from jobs.models import DownloadJob
from jobs.web.serializers import JobSerializer


class AcceptedJob(JobSerializer):
    """A new bundle. `totalFileIds` is the number of different files in it."""

    example_kind = FilesBundle.name
    totalFileIds = serializers.IntegerField(min_value=1)

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "totalFileIds"]

    @staticmethod
    def variant(job: DownloadJob, body: Body) -> Body:
        return body | FilesBundle().accepted_members(job.params)
