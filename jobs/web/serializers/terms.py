"""What every kind of job may be asked for beside what it shall make."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from rest_framework import serializers

from jobs.models import DownloadJob, Preferences, can_be_mailed
from jobs.terms import Terms
from jobs.web.serializers.fields import (
    MAX_JOB_IDS,
    MAX_TOLD,
    MAX_WEBHOOK_CHARS,
    JobId,
    Listing,
    Moment,
    StrictSerializer,
    Switch,
    Url,
    Whole,
)

NOT_YOURS = "You have no download with this id."
TERMS = ("email", "webhook", "runAt", "after", "priority")
WORDS = {"true": True, "false": False, "null": None}


class TermsRequest(StrictSerializer):
    """Who is told of the end, and when it may start. Needs the `owner` in its context.

    `email` and `webhook` are those of the owner's settings where nothing is said; null is nobody.
    """

    email = Switch(required=False)
    webhook = Url(required=False, allow_null=True, max_length=MAX_WEBHOOK_CHARS)
    runAt = Moment(required=False)
    after = Listing(child=JobId(), required=False, max_length=MAX_JOB_IDS)
    priority = Whole(required=False, min_value=0, max_value=9)

    def get_fields(self) -> dict[str, Any]:
        """The terms come last, behind what is wanted."""
        fields = super().get_fields()
        terms = {name: fields.pop(name) for name in TERMS}
        return fields | terms

    @property
    def owner(self) -> User:
        owner: User = self.context["owner"]
        return owner

    def validate_email(self, wanted: bool) -> bool:
        if wanted and not self.owner.email:
            raise serializers.ValidationError("Your account has no e-mail address.")
        if wanted and not can_be_mailed(self.owner):
            raise serializers.ValidationError("No mail is sent from here.")
        return wanted

    def validate_after(self, job_ids: list[UUID]) -> list[UUID]:
        return self.own(job_ids)

    def validate_priority(self, priority: int) -> int:
        if priority > (most := Preferences.of(self.owner).highest_priority):
            raise serializers.ValidationError(f"You may ask for {most} at most.")
        return priority

    def own(self, job_ids: list[UUID]) -> list[UUID]:
        """Each once. Raises ValidationError where one is not a job of the owner's."""
        job_ids = list(dict.fromkeys(job_ids))
        mine = DownloadJob.objects.filter(owner=self.owner, pk__in=job_ids)
        strange = set(job_ids) - set(mine.values_list("pk", flat=True))
        places = [n for n, job_id in enumerate(job_ids) if job_id in strange]
        if places:
            raise serializers.ValidationError({str(n): [NOT_YOURS] for n in places[:MAX_TOLD]})
        return job_ids

    def terms(self) -> Terms:
        """What is not named is left to the owner's preferences, when the job is recorded."""
        asked = self.validated_data
        return Terms(
            priority=asked.get("priority"),
            run_at=asked.get("runAt"),
            after=tuple(asked.get("after", ())),
            email=asked.get("email"),
            webhook=asked["webhook"] or "" if "webhook" in asked else None,
            named=frozenset(name.replace("runAt", "run_at") for name in TERMS if name in asked),
        )


def terms_of_form(fields: dict[str, str], owner: User) -> Terms:
    """The terms among the fields of a form, which are all text. Raises ValidationError.

    `after` has its ids with commas between.
    """
    told: dict[str, Any] = {name: fields[name] for name in TERMS if name in fields}
    for name in ("email", "webhook"):
        if name in told:
            told[name] = WORDS.get(told[name], told[name])
    if "after" in told:
        told["after"] = [job_id.strip() for job_id in told["after"].split(",")]
    if told.get("priority", "").isdecimal():
        told["priority"] = int(told["priority"][:9])
    asked = TermsRequest(data=told, context={"owner": owner})
    asked.is_valid(raise_exception=True)
    return asked.terms()
