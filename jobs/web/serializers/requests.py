"""What may be asked for, per kind."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework import serializers

from jobs.kinds.registry import MAX_DAYS, USUAL_PERIOD, Params
from jobs.models import IncomingUpload
from jobs.models.permissions import CanViewAllJobs, can_view_all_jobs
from jobs.outbound.targets import MAX_URL_CHARS
from jobs.web.serializers.fields import (
    MAX_JOB_IDS,
    Day,
    FileIdField,
    FileIdsField,
    JobId,
    Listing,
    Period,
    Sha256,
    StrictSerializer,
    Switch,
    Text,
    Url,
    Whole,
)
from jobs.web.serializers.terms import TermsRequest

MAX_WATCHED = 50  # jobs in one stream of events
JOB_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
THREADS = 4  # connections, where nobody says how many


class Wanted(TermsRequest):
    """What one kind of job may be asked for, on which terms."""

    def asked(self) -> dict[str, Any]:
        """The keyword arguments of `submit` that say what is wanted."""
        raise NotImplementedError


class BundleRequest(Wanted):
    """Stored files, and what jobs of the caller's made or are going to make, in this order.

    `job_ids` are waited for, as `after` are. What is named twice is in it once. `name` is what the
    archive is called.
    """

    file_ids = FileIdsField(
        required=False, allow_empty=False, max_length=settings.MAX_FILES_PER_BUNDLE
    )
    job_ids = Listing(child=JobId(), required=False, min_length=1, max_length=MAX_JOB_IDS)
    name = Text(required=False, max_length=200)
    RULES = {"anyOf": [{"required": ["file_ids"]}, {"required": ["job_ids"]}]}

    def validate_file_ids(self, file_ids: list[int]) -> list[int]:
        return list(dict.fromkeys(file_ids))

    def validate_job_ids(self, job_ids: list[UUID]) -> list[UUID]:
        return self.own(job_ids)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "file_ids" not in attrs and "job_ids" not in attrs:
            raise serializers.ValidationError({"file_ids": ["This field is required."]}, "required")
        return attrs

    def asked(self) -> dict[str, Any]:
        asked, terms = self.validated_data, self.terms()
        job_ids = asked.get("job_ids", [])
        params: Params = {"file_ids": asked.get("file_ids", [])}
        if job_ids:
            params["job_ids"] = [str(job_id) for job_id in job_ids]
            terms = replace(terms, after=tuple(dict.fromkeys([*terms.after, *job_ids])))
        name = asked.get("name", "")
        return {"kind": "bundle", "params": params, "name": name, "terms": terms}


class RemoteRequest(Wanted):
    """`output` is what the file is called; without it, what the other side or the URL says.

    `threads` is how many connections are used at most, `sha256` what the file has to have.
    """

    url = Url(max_length=MAX_URL_CHARS)
    output = Text(required=False, max_length=200)
    threads = Whole(default=THREADS, min_value=1, max_value=16)
    sha256 = Sha256(required=False)

    def asked(self) -> dict[str, Any]:
        of_kind = ("url", "output", "threads", "sha256")
        params = {
            name: self.validated_data[name] for name in of_kind if name in self.validated_data
        }
        name = params.get("output", "")
        return {"kind": "remote", "params": params, "name": name, "terms": self.terms()}


class ReportRequest(Wanted):
    """`period` is so many days, the last of them today; or `from` and `to` are its days.

    Days are those of UTC. `everybody` is what all owners asked for: for staff with the permission
    `jobs.view_downloadjob`.
    """

    period = Period(required=False)
    to = Day(required=False)
    format = serializers.ChoiceField(choices=["pdf", "csv", "json"], default="pdf")
    everybody = Switch(default=False)
    RULES = {
        "oneOf": [
            {"required": ["from", "to"], "not": {"required": ["period"]}},
            {"not": {"anyOf": [{"required": ["from"]}, {"required": ["to"]}]}},
        ]
    }

    def get_fields(self) -> dict[str, Any]:
        return {"from": Day(required=False)} | super().get_fields()  # a word of Python's

    def validate_everybody(self, everybody: bool) -> bool:
        if everybody and not can_view_all_jobs(self.owner):
            raise serializers.ValidationError(CanViewAllJobs.message)
        return everybody

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first, last = attrs.get("from"), attrs.get("to")
        if "period" in attrs and (first or last):
            raise serializers.ValidationError({"period": ["Either this, or `from` and `to`."]})
        if bool(first) != bool(last):
            missing = "to" if first else "from"
            raise serializers.ValidationError({missing: ["`from` and `to` come together."]})
        if first and last and not 0 <= (last - first).days < MAX_DAYS:
            raise serializers.ValidationError(
                {"to": [f"From 1 to {MAX_DAYS} days, in their order."]}
            )
        return attrs

    def asked(self) -> dict[str, Any]:
        asked = self.validated_data
        if "from" in asked:
            period = {"from": str(asked["from"]), "to": str(asked["to"])}
        else:
            period = {"period": asked.get("period", USUAL_PERIOD)}
        params = period | {name: asked[name] for name in ("format", "everybody")}
        return {"kind": "report", "params": params, "terms": self.terms()}


class ChunkedRequest(TermsRequest):
    """A file that will come in chunks. `sha256` is what it has to have.

    The terms are those of the job that it becomes.
    """

    fileName = Text(max_length=255)
    totalSize = Whole(min_value=1, max_value=settings.MAX_CHUNKED_UPLOAD_BYTES)
    sha256 = Sha256(required=False)

    def asked(self) -> dict[str, Any]:
        """The arguments of `uploads.begin`."""
        asked = self.validated_data
        named = {"name": asked["fileName"], "size_bytes": asked["totalSize"]}
        return named | {"sha256": asked.get("sha256", ""), "terms": self.terms()}


class UploadForm(TermsRequest):
    """A form with one file; multipart_form.py reads it as it comes.

    `after` has commas between its ids.
    """

    file = serializers.FileField()
    after = Text(required=False)  # type: ignore[assignment] # a form has no lists


class ChunkRequest(StrictSerializer):
    """The fields of a form that brings a chunk. They are text, as in any form."""

    jobId = serializers.UUIDField()
    chunkIndex = serializers.IntegerField(min_value=0, max_value=10_000)
    totalChunks = serializers.IntegerField(min_value=1, max_value=10_000)

    def number_in(self, upload: IncomingUpload) -> int:
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


class WatchRequest(StrictSerializer):
    """The ids of jobs, with commas between."""

    jobs = Text(max_length=37 * MAX_WATCHED)

    def validate_jobs(self, jobs: str) -> list[UUID]:
        ids = list(dict.fromkeys(jobs.lower().split(",")))
        if not all(JOB_ID.fullmatch(each) for each in ids) or len(ids) > MAX_WATCHED:
            raise serializers.ValidationError(
                f"1 to {MAX_WATCHED} ids of jobs, with commas between."
            )
        return [UUID(each) for each in ids]


class CheckRequest(StrictSerializer):
    """The number of a file."""

    file_id = FileIdField()
