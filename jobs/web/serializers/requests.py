"""Serializers of requests."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework import serializers

from jobs.kinds.base import Params
from jobs.models import IncomingUpload
from jobs.models.permissions import CanViewAllJobs, can_view_all_jobs
from jobs.outbound.url_parser import MAX_URL_CHARS
from jobs.web.serializers.fields import (
    DEFAULT_PERIOD,
    MAX_DAYS,
    MAX_JOB_IDS,
    Binary,
    Day,
    FileIdField,
    FileIdsField,
    Integer,
    JobId,
    Period,
    Sha256,
    StrictList,
    StrictSerializer,
    Switch,
    Text,
    Url,
)
from jobs.web.serializers.terms import TermsRequest

MAX_WATCHED = 50  # jobs in one stream of events
JOB_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
THREADS = 4  # the default number of connections


class JobRequest(TermsRequest):
    """The request for a job of one kind, with its terms."""

    def submission(self) -> dict[str, Any]:
        """Return the keyword arguments of `submit` for this request."""
        raise NotImplementedError


class BundleRequest(JobRequest):
    """Stored files, then the results of your jobs, in the given order. Duplicates are ignored.

    The bundle waits for the jobs in `job_ids`, as for those in `after`. `name` is the file name of
    the archive.
    """

    file_ids = FileIdsField(
        required=False, allow_empty=False, max_length=settings.MAX_FILES_PER_BUNDLE
    )
    job_ids = StrictList(child=JobId(), required=False, min_length=1, max_length=MAX_JOB_IDS)
    name = Text(required=False, max_length=200)
    RULES = {"anyOf": [{"required": ["file_ids"]}, {"required": ["job_ids"]}]}

    def validate_file_ids(self, file_ids: list[int]) -> list[int]:
        return list(dict.fromkeys(file_ids))

    def validate_job_ids(self, job_ids: list[UUID]) -> list[UUID]:
        return self.own_jobs(job_ids)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "file_ids" not in attrs and "job_ids" not in attrs:
            raise serializers.ValidationError({"file_ids": ["This field is required."]}, "required")
        return attrs

    def submission(self) -> dict[str, Any]:
        data, terms = self.validated_data, self.terms()
        job_ids = data.get("job_ids", [])
        params: Params = {"file_ids": data.get("file_ids", [])}
        if job_ids:
            params["job_ids"] = [str(job_id) for job_id in job_ids]
            terms = replace(terms, after=tuple(dict.fromkeys([*terms.after, *job_ids])))
        name = data.get("name", "")
        return {"kind": "bundle", "params": params, "name": name, "terms": terms}


class RemoteRequest(JobRequest):
    """`output` is the file name; the default is the name from the server or the URL.

    `threads` is the maximum number of connections, `sha256` the expected hash of the file.
    """

    url = Url(max_length=MAX_URL_CHARS)
    output = Text(required=False, max_length=200)
    threads = Integer(default=THREADS, min_value=1, max_value=16)
    sha256 = Sha256(required=False)

    def submission(self) -> dict[str, Any]:
        of_kind = ("url", "output", "threads", "sha256")
        params = {
            name: self.validated_data[name] for name in of_kind if name in self.validated_data
        }
        name = params.get("output", "")
        return {"kind": "remote", "params": params, "name": name, "terms": self.terms()}


class ReportRequest(JobRequest):
    """`period` is a number of days that ends today; or set `from` and `to`. Days are in UTC.

    `everybody` includes the jobs of all owners. It requires staff with the permission
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
        return {"from": Day(required=False)} | super().get_fields()  # `from` is a keyword

    def validate_everybody(self, everybody: bool) -> bool:
        if everybody and not can_view_all_jobs(self.owner):
            raise serializers.ValidationError(CanViewAllJobs.message)
        return everybody

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first, last = attrs.get("from"), attrs.get("to")
        if "period" in attrs and (first or last):
            raise serializers.ValidationError(
                {"period": ["Send either `period`, or `from` and `to`."]}
            )
        if bool(first) != bool(last):
            missing = "to" if first else "from"
            raise serializers.ValidationError({missing: ["Send both `from` and `to`."]})
        if first and last and not 0 <= (last - first).days < MAX_DAYS:
            raise serializers.ValidationError(
                {"to": [f"Use a range of 1 to {MAX_DAYS} days, with `from` first."]}
            )
        return attrs

    def submission(self) -> dict[str, Any]:
        data = self.validated_data
        if "from" in data:
            period = {"from": str(data["from"]), "to": str(data["to"])}
        else:
            period = {"period": data.get("period", DEFAULT_PERIOD)}
        params = period | {name: data[name] for name in ("format", "everybody")}
        return {"kind": "report", "params": params, "terms": self.terms()}


class ChunkedRequest(TermsRequest):
    """A file to upload in chunks. `sha256` is its expected hash.

    The other fields apply to the job that processes it.
    """

    fileName = Text(max_length=255)
    totalSize = Integer(min_value=1, max_value=settings.MAX_CHUNKED_UPLOAD_BYTES)
    sha256 = Sha256(required=False)

    def upload_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of `uploads.begin` for this request."""
        data = self.validated_data
        file = {"name": data["fileName"], "size_bytes": data["totalSize"]}
        return file | {"sha256": data.get("sha256", ""), "terms": self.terms()}


class UploadForm(TermsRequest):
    """A form with one file. The ids in `after` are separated by commas."""

    # For the OpenAPI document: multipart_form.py reads the form.
    file = Binary()
    after = Text(required=False)  # type: ignore[assignment] # a form has no lists


class ChunkRequest(StrictSerializer):
    """The fields of a form with a chunk. They are text, as in any form."""

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
