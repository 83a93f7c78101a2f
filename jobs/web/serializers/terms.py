"""The terms that a request for any kind of job may have: notifications, start, priority."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from rest_framework import serializers
from rest_framework.fields import empty

from jobs.models import ApiKey, DownloadJob, Preferences, can_be_mailed
from jobs.terms import REQUEST_FIELDS, Terms
from jobs.web.serializers.fields import (
    MAX_JOB_IDS,
    MAX_WEBHOOK_CHARS,
    StrictList,
    StrictSerializer,
    Timestamp,
    Url,
)
from jobs.web.serializers.json_types import MAX_REPORTED

NOT_YOURS = "You have no download with this ID."
WORDS = {"true": True, "false": False, "null": None}


class TermsRequest(StrictSerializer):
    """Notifications, start and priority of a job.

    The default of `email` and `webhook` is in the owner's settings; a `webhook` of null sends none.
    The context has the `owner`, and may have the API `key` of the request, whose webhook replaces
    the one in the settings.
    """

    email = serializers.BooleanField(required=False)
    webhook = Url(required=False, allow_null=True, max_length=MAX_WEBHOOK_CHARS)
    runAt = Timestamp(required=False)
    after = StrictList(child=serializers.UUIDField(), required=False, max_length=MAX_JOB_IDS)
    priority = serializers.IntegerField(required=False, min_value=0, max_value=9)

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with the terms at the end."""
        fields = super().get_fields()
        fields["email"].default_empty_html = empty  # a form without the box leaves it unset
        terms = {name: fields.pop(name) for name in REQUEST_FIELDS}
        return fields | terms

    @property
    def owner(self) -> User:
        owner: User = self.context["owner"]
        return owner

    def validate_email(self, email: bool) -> bool:
        if email and not self.owner.email:
            raise serializers.ValidationError("Your account has no email address.")
        if email and not can_be_mailed(self.owner):
            raise serializers.ValidationError("E-mail is not set up on this server.")
        return email

    def validate_after(self, job_ids: list[UUID]) -> list[UUID]:
        return own_jobs_in_terms(self.owner, job_ids)

    def validate_priority(self, priority: int) -> int:
        if priority > (highest := Preferences.of(self.owner).highest_priority):
            raise serializers.ValidationError(f"Your highest priority is {highest}.")
        return priority

    def terms(self) -> Terms:
        """Return the terms. Missing ones come from the owner's preferences when it is recorded."""
        data = self.validated_data
        key: ApiKey | None = self.context.get("key")
        return Terms(
            priority=data.get("priority"),
            run_at=data.get("runAt"),
            after=tuple(data.get("after", ())),
            email=data.get("email"),
            webhook=data["webhook"] or "" if "webhook" in data else usual_webhook(key),
            api_key=key.prefix if key else "",
            named=frozenset(
                name.replace("runAt", "run_at") for name in REQUEST_FIELDS if name in data
            ),
        )


def usual_webhook(key: ApiKey | None) -> str | None:
    """Return the webhook of the key; None, that in the owner's settings, if it has none."""
    return (key.webhook or None) if key else None


def own_jobs_in_terms(owner: User, job_ids: list[UUID]) -> list[UUID]:
    """Return the ids without duplicates. Raises ValidationError for one of another owner."""
    job_ids = list(dict.fromkeys(job_ids))
    own = DownloadJob.objects.of_owner(owner.pk).filter(pk__in=job_ids)
    unknown = set(job_ids) - set(own.values_list("pk", flat=True))
    positions = [n for n, job_id in enumerate(job_ids) if job_id in unknown]
    if positions:
        errors = {str(n): [NOT_YOURS] for n in positions[:MAX_REPORTED]}
        raise serializers.ValidationError(errors)
    return job_ids


def terms_of_form(fields: dict[str, str], context: dict[str, Any]) -> Terms:
    """Return the terms in the fields of a form, which are all text. Raises ValidationError.

    The ids in `after` are separated by commas. `context` is that of a TermsRequest.
    """
    data: dict[str, Any] = {name: fields[name] for name in REQUEST_FIELDS if name in fields}
    for name in ("email", "webhook"):
        if name in data:
            data[name] = WORDS.get(data[name], data[name])
    if "after" in data:
        data["after"] = [job_id.strip() for job_id in data["after"].split(",")]
    if data.get("priority", "").isdecimal():
        data["priority"] = int(data["priority"][:9])
    serializer = TermsRequest(data=data, context=context)
    serializer.is_valid(raise_exception=True)
    return serializer.terms()
