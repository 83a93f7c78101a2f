"""Serializers of requests."""

from __future__ import annotations

import re
from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers

from jobs.kinds.base import JobParams
from jobs.web.serializers.fields import FileIdField, StrictSerializer, Text
from jobs.web.serializers.terms import TermsRequest

MAX_WATCHED = 50  # jobs in one stream of events
JOB_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class JobRequest(TermsRequest):
    """The request for a job of one kind, with its terms."""

    kind: ClassVar[str]

    def params(self) -> JobParams:
        """Return the params of the job."""
        raise NotImplementedError

    def submission(self) -> dict[str, Any]:
        """Return the keyword arguments of `submit` for this request."""
        return {"kind": self.kind, "params": self.params(), "terms": self.terms()}


class WatchRequest(StrictSerializer):
    """The ids of jobs, separated by commas."""

    jobs = Text(max_length=37 * MAX_WATCHED)

    def validate_jobs(self, jobs: str) -> list[UUID]:
        ids = list(dict.fromkeys(jobs.lower().split(",")))
        if not all(JOB_ID.fullmatch(each) for each in ids) or len(ids) > MAX_WATCHED:
            raise serializers.ValidationError(f"1 to {MAX_WATCHED} job IDs, separated by commas.")
        return [UUID(each) for each in ids]


class CheckRequest(StrictSerializer):
    """The id of a file."""

    file_id = FileIdField()
