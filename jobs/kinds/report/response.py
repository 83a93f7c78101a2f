"""The responses about reports, with second names of members for older clients."""

from __future__ import annotations

from rest_framework import serializers

from jobs.kinds.base import Body, Job
from jobs.kinds.report.kind import Report
from jobs.kinds.report.older_names import report_body
from jobs.web.serializers import JobSerializer


class ReportJob(JobSerializer):
    """A report. Some members have a second name for older clients."""

    example_kind = Report.name
    id = serializers.UUIDField()
    progress_message = serializers.CharField()

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "id", "progress_message"]

    variant = staticmethod(report_body)


class AcceptedReport(ReportJob):
    """A new report."""

    @staticmethod
    def variant(job: Job, body: Body) -> Body:
        return report_body(job, body) | {"message": "Report generation started"}
