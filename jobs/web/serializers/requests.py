"""Serializers of requests."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar, cast
from uuid import UUID

from django.http import HttpRequest
from rest_framework import serializers
from rest_framework.request import Request

from jobs.kinds.base import JobParams, Kind
from jobs.terms import Terms
from jobs.web.authentication import authenticated_user
from jobs.web.key_authentication import request_key
from jobs.web.serializers.fields import MAX_NAME_CHARS, FileIdField, StrictSerializer, TextField
from jobs.web.serializers.terms import TermsRequest

MAX_WATCHED = 50  # jobs in one stream of events
JOB_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class JobRequest(TermsRequest):
    """The request for a job: the fields of its kind, the file name, the terms. See `request_of`."""

    kind: ClassVar[Kind]

    def params(self) -> JobParams:
        """Return the values of the kind's fields, as JSON."""
        values: JobParams = self.to_representation(self.validated_data)
        kept = self.kind.Params().fields
        return {name: value for name, value in values.items() if name in kept}

    def terms(self) -> Terms:
        terms = super().terms()
        first = self.kind.depends_on(self.params())
        return replace(terms, after=tuple(dict.fromkeys([*terms.after, *first])))

    def submission(self) -> dict[str, Any]:
        """Return the keyword arguments of `submit` for this request."""
        return {
            "kind": self.kind.name,
            "params": self.params(),
            "terms": self.terms(),
            "name": self.validated_data.get(self.kind.name_field, ""),
        }


def _request_of(kind: type[Kind]) -> type[JobRequest]:
    """Return the serializer of requests for jobs of this kind."""
    described = kind.Params.__doc__ or kind.description or kind.label
    members: dict[str, Any] = {"kind": kind(), "__doc__": described}
    if kind.name_field and kind.name_field not in kind.Params().fields:
        members[kind.name_field] = TextField(required=False, max_length=MAX_NAME_CHARS)
    name = "".join(word.capitalize() for word in kind.name.split("-"))
    return type(f"{name}Request", (kind.Params, JobRequest), members)


# A cast, because mypy does not count classes as hashable.
request_of = cast(Callable[[type[Kind]], type[JobRequest]], cache(_request_of))


class WatchRequest(StrictSerializer):
    """The ids of jobs, separated by commas."""

    jobs = TextField(max_length=37 * MAX_WATCHED)

    def validate_jobs(self, jobs: str) -> list[UUID]:
        ids = list(dict.fromkeys(jobs.lower().split(",")))
        if not all(JOB_ID.fullmatch(each) for each in ids) or len(ids) > MAX_WATCHED:
            raise serializers.ValidationError(f"1 to {MAX_WATCHED} job IDs, separated by commas.")
        return [UUID(each) for each in ids]


class CheckRequest(StrictSerializer):
    """The id of a file."""

    file_id = FileIdField()


def request_serializer_context(request: Request | HttpRequest) -> dict[str, Any]:
    """Return the context that request serializers need."""
    return {"owner": authenticated_user(request), "key": request_key(request)}
