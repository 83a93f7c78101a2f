"""The columns, constraints and indexes of a job's row. What may happen to it: job.py."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Least, Now
from django.db.models.lookups import GreaterThanOrEqual

from jobs.models.deletion import Deletion
from jobs.models.lane import Lane
from jobs.models.stored_file import StoredFile
from jobs.states import ACTIVE, FINAL, Status
from jobs.terms import USUAL_PRIORITY

BIG = models.BigIntegerField()
AT_LEAST_0 = [MinValueValidator(0)]
OVER_AT = Coalesce("expires_at", "finished_at")  # when a finished job's file expired, or it ended
# NULL counts as 0 here: LEAST ignores it.
NUMBERS = "attempt", "failures", "losses", "version", "done", "total", "speed", "threads"


class JobFields(models.Model):
    """Abstract base of DownloadJob: what a row holds."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(  # without an index of its own: two others begin with it
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="jobs", db_index=False
    )
    kind = models.CharField(max_length=50)
    name = models.CharField(max_length=200)  # of the file that it makes
    params = models.JSONField()
    params_version = models.SmallIntegerField(default=1, db_default=1)  # of the kind's params
    # What else limits how many run at once, such as the remote host. Set by the kind.
    concurrency_key = models.CharField(max_length=255, blank=True, default="", db_default="")
    priority = models.SmallIntegerField(default=USUAL_PRIORITY)
    run_at = models.DateTimeField(null=True)  # the earliest start; null: at once
    after = models.ManyToManyField("self", symmetrical=False, related_name="dependents")
    held = models.BooleanField(
        default=False, db_default=False
    )  # blocked: some of `after` are not done
    email = models.BooleanField(default=False, db_default=False)  # mail the owner when it ends
    webhook = models.CharField(
        max_length=2000, blank=True, db_default=""
    )  # URL to POST its outcome to
    request_id = models.CharField(max_length=64, blank=True)
    idempotency_key = models.CharField(
        max_length=255, blank=True
    )  # sent by the client, kept for a day
    request_hash = models.CharField(max_length=64, blank=True)  # of the request with that key

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    attempt = models.IntegerField(
        default=0
    )  # number of the current run; a worker may change only its own
    failures = models.SmallIntegerField(default=0)
    losses = models.SmallIntegerField(default=0)
    available_at = models.DateTimeField(db_default=Now())
    published_at = models.DateTimeField(null=True, db_default=Now())
    lane = models.ForeignKey(  # null: no worker may start it now
        Lane, models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    queue = models.CharField(max_length=50, blank=True, default="", db_default="")  # of its claim
    # When the current attempt started, in the queue's virtual time, and how long it may take.
    virtual_start = models.FloatField(null=True)
    estimated_seconds = models.FloatField(null=True)
    lease_until = models.DateTimeField(null=True)
    task_id = models.CharField(max_length=40, blank=True)
    worker = models.CharField(max_length=100, blank=True)
    version = models.IntegerField(default=1)  # +1 at every visible change; makes the ETag

    progress = models.FloatField(default=0)
    done = models.BigIntegerField(default=0, validators=AT_LEAST_0)
    total = models.BigIntegerField(null=True, validators=AT_LEAST_0)
    unit = models.CharField(max_length=30, default="bytes")
    speed = models.BigIntegerField(default=0)  # units a second, over the last few seconds
    threads = models.SmallIntegerField(default=0)  # connections in use, for a remote job
    message = models.CharField(max_length=300, blank=True)
    checkpoint = models.JSONField(null=True)  # what the next attempt can resume from
    metadata = models.JSONField(
        default=dict, db_default={}
    )  # about the file, such as its number of pages

    artifact = models.ForeignKey(StoredFile, models.PROTECT, null=True, related_name="+")
    error_code = models.CharField(max_length=40, blank=True)
    error = models.CharField(max_length=500, blank=True)

    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    collect_at = models.DateTimeField(null=True)  # when to look for objects left behind
    deletion = models.ForeignKey(  # not null: its owner deleted it
        Deletion, models.DO_NOTHING, null=True, related_name="jobs", db_index=False,
        db_constraint=False,
    )  # fmt: skip

    class Meta:
        abstract = True
        verbose_name = "download"
        ordering = ["-created_at"]
        permissions = [
            ("retry_downloadjob", "Can retry download"),
            ("cancel_downloadjob", "Can cancel download"),
            ("change_priority_downloadjob", "Can change the priority of download"),
        ]
        constraints = [
            # Few: Postgres parses each of them again for every change of a row.
            models.CheckConstraint(
                name="job_fits_its_status",
                condition=Q(status=Status.QUEUED, lease_until=None, finished_at=None)
                | Q(status=Status.PROCESSING, lease_until__isnull=False, finished_at=None)
                | Q(status__in=sorted(FINAL), lease_until=None, finished_at__isnull=False),
            ),
            models.CheckConstraint(
                name="job_numbers_in_range",
                condition=Q(GreaterThanOrEqual(Least(*NUMBERS, output_field=BIG), 0))
                & Q(priority__gte=0, priority__lte=9, progress__gte=0, progress__lte=1),
            ),
            models.UniqueConstraint(
                "owner", "idempotency_key", name="job_once_a_key", condition=~Q(idempotency_key="")
            ),
        ]
        # No index has a column that a heartbeat writes, so heartbeats can be HOT updates.
        indexes = [
            models.Index(
                F("owner"), F("created_at").desc(), F("id").desc(), name="job_newest_of_owner"
            ),
            models.Index(
                F("owner"), F("status"), F("created_at").desc(), F("id").desc(),
                name="job_of_owner_by_status",
            ),
            models.Index("owner", name="job_active", condition=Q(status__in=sorted(ACTIVE))),
            models.Index(F("created_at").desc(), F("id"), name="job_newest"),
            models.Index(F("status"), F("created_at").desc(), name="job_by_status"),
            models.Index(
                "lane", "available_at",
                name="job_ready", condition=Q(status=Status.QUEUED, lane__isnull=False),
            ),
            models.Index(
                "available_at",
                name="job_to_make_ready",
                condition=Q(status=Status.QUEUED, held=False, lane=None),
            ),
            models.Index(
                "created_at", name="job_held", condition=Q(status=Status.QUEUED, held=True)
            ),
            models.Index(
                "kind", "finished_at", name="job_lately", condition=Q(status=Status.COMPLETED)
            ),
            models.Index("finished_at", name="job_failed", condition=Q(status=Status.FAILED)),
            models.Index("expires_at", name="job_to_expire", condition=Q(status=Status.COMPLETED)),
            models.Index(
                "collect_at", name="job_to_collect", condition=Q(collect_at__isnull=False)
            ),
            models.Index(
                "created_at", name="job_with_key", condition=~Q(idempotency_key="")
            ),
            models.Index(OVER_AT, name="job_over", condition=Q(finished_at__isnull=False)),
            models.Index("deletion", name="job_deleted", condition=Q(deletion__isnull=False)),
        ]  # fmt: skip
