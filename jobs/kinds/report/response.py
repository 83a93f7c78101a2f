"""The responses about reports, with second names of members for older clients."""

from __future__ import annotations

from rest_framework import serializers

from jobs.kinds.base import Body, Job
from jobs.kinds.report.kind import Report
from jobs.kinds.report.older_names import older_report_names
from jobs.web.serializers import JobSerializer


class ReportJob(JobSerializer):
    """A report. Some members have a second name for older clients."""

    example_kind = Report.name
    id = serializers.UUIDField()
    progress_message = serializers.CharField()

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "id", "progress_message"]

    variant = staticmethod(older_report_names)


class AcceptedReport(ReportJob):
    """A new report."""

    @staticmethod
    def variant(job: Job, body: Body) -> Body:
        return older_report_names(job, body) | {"message": "Report generation started"}
