"""A job's row.

Owns every change of a job's status (`_move`). Knows nothing of the broker, the bucket or HTTP;
what touches a second system is a use case: submission.py, runner.py, dispatcher.py.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Greatest, Least, Now
from django.db.models.lookups import GreaterThanOrEqual

from jobs.backoff import MAX_LOSSES
from jobs.errors import StaleJob
from jobs.lib.changes import announce_after_commit
from jobs.models import transition
from jobs.models.event import JobEvent
from jobs.models.incoming_upload import UPLOAD
from jobs.models.job_queryset import JobQuerySet
from jobs.models.notification import Notification
from jobs.models.stored_file import StoredFile
from jobs.models.transition import NOW, from_now, on_entering
from jobs.states import ACTIVE, ENDS, FINAL, MOVES, WAITING, Actor, Event, Status
from jobs.terms import USUAL_PRIORITY

NO_GUARD = Q()
BIG = models.BigIntegerField()
AT_LEAST_0 = [MinValueValidator(0)]
# None is below 0.
NUMBERS = "attempt", "failures", "losses", "version", "done", "total", "speed", "threads"
CLAIM_EARLY = timedelta(milliseconds=250)  # a doorbell may be this much ahead of the due time
IS_DUE = Q(held=False, available_at__lte=NOW + CLAIM_EARLY)
ALL_DONE = Coalesce("total", "done")
NEXT_ATTEMPT, NEXT_VERSION = F("attempt") + 1, F("version") + 1
DEPENDENCY_FAILED = "dependency_failed"
ENDED = {Status.FAILED: "failed", Status.CANCELLED: "was cancelled"}
WORKER_LOST = "worker_lost"
WORKER_LOST_SENTENCE = "The machine that made this stopped three times. Ask an operator."


class DownloadJob(models.Model):
    """One piece of slow work somebody asked for. The row is the truth about it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(  # without an index of its own: two others begin with it
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="jobs", db_index=False
    )
    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=200)  # of the file that will come out
    params = models.JSONField()
    priority = models.SmallIntegerField(default=USUAL_PRIORITY)
    run_at = models.DateTimeField(null=True)  # the earliest start, if not when it was created
    after = models.ManyToManyField("self", symmetrical=False, related_name="followers")
    held = models.BooleanField(default=False, db_default=False)  # some of `after` are not done
    email = models.BooleanField(default=False, db_default=False)  # the owner is mailed of its end
    webhook = models.CharField(max_length=2000, blank=True, db_default="")  # which is told of it
    request_id = models.CharField(max_length=64, blank=True)
    idempotency_key = models.CharField(max_length=255, blank=True)  # the caller's, for a day
    request_hash = models.CharField(max_length=64, blank=True)  # of what came with the key

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    attempt = models.IntegerField(default=0)  # the run's number, and its fence
    failures = models.SmallIntegerField(default=0)
    losses = models.SmallIntegerField(default=0)
    available_at = models.DateTimeField(db_default=Now())
    published_at = models.DateTimeField(null=True, db_default=Now())
    lease_until = models.DateTimeField(null=True)
    task_id = models.CharField(max_length=40, blank=True)
    worker = models.CharField(max_length=100, blank=True)
    version = models.IntegerField(default=1)  # +1 at every visible change; makes the ETag

    progress = models.FloatField(default=0)
    done = models.BigIntegerField(default=0, validators=AT_LEAST_0)
    total = models.BigIntegerField(null=True, validators=AT_LEAST_0)
    unit = models.CharField(max_length=10, default="bytes")
    speed = models.BigIntegerField(default=0)  # units a second, lately
    threads = models.SmallIntegerField(default=0)  # connections in use, of a remote one
    message = models.CharField(max_length=300, blank=True)
    checkpoint = models.JSONField(null=True)  # what the next attempt may go on from
    metadata = models.JSONField(default=dict, db_default={})  # facts about the file: its pages

    artifact = models.ForeignKey(StoredFile, models.PROTECT, null=True, related_name="+")
    error_code = models.CharField(max_length=40, blank=True)
    error = models.CharField(max_length=500, blank=True)

    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    collect_at = models.DateTimeField(null=True)  # when to look for objects left behind

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = "download"
        ordering = ["-created_at"]
        constraints = [
            # Few, since each costs every change of a row: Postgres reads its text again.
            models.CheckConstraint(
                name="job_fits_its_status",
                condition=Q(status=Status.QUEUED, lease_until=None, finished_at=None)
                | Q(status=Status.PROCESSING, lease_until__isnull=False, finished_at=None)
                | Q(status__in=sorted(FINAL), lease_until=None, finished_at__isnull=False)
                & (~Q(status=Status.COMPLETED) | Q(artifact__isnull=False)),
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
        # None has a column that a beat writes, or each beat would have to write to all of them.
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
                F("priority").desc(), F("available_at"),
                name="job_due", condition=Q(status=Status.QUEUED, held=False),
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
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"

    @property
    def is_finished(self) -> bool:
        return self.status in FINAL

    @property
    def is_due(self) -> bool:
        """Whether a worker could take it at once when it was last queued."""
        return not self.held and not self.is_scheduled

    @property
    def is_scheduled(self) -> bool:  # then
        return self.run_at is not None and self.run_at > self.updated_at

    def allows(self, event: Event) -> bool:
        """Whether the move could be made, as far as this copy of the row knows."""
        return self.status in MOVES[event].sources

    @property
    def folder(self) -> str:
        """Where all lies that its attempts ever stored."""
        return f"{'processed' if self.kind == UPLOAD else 'results'}/{self.pk}/"

    # What its worker does

    def claim(self, *, task_id: str, worker: str) -> None:
        """Take a due job for one attempt. Raises StaleJob if it is not due, or taken."""
        self._move(
            Event.CLAIM,
            Actor.WORKER,
            guard=IS_DUE,
            detail=worker,
            attempt=NEXT_ATTEMPT,
            lease_until=from_now(settings.LEASE_SECONDS),
            task_id=task_id,
            worker=worker,
            started_at=NOW,
            progress=0,
            done=0,
            speed=0,
            threads=0,
            message="Starting",
        )

    def beat(self, *, done: int, message: str, speed: int = 0, threads: int = 0) -> bool:
        """Renew the lease and record progress. False: this attempt no longer owns the row."""
        changed = Q(done=done, message=message, speed=speed, threads=threads)
        is_mine = bool(
            self._mine().update(
                lease_until=Now() + timedelta(seconds=settings.LEASE_SECONDS),
                done=done,
                progress=min(done / self.total, 1.0) if self.total else 0.0,
                speed=speed,
                threads=threads,
                message=message,
                updated_at=Now(),
                version=models.Case(
                    models.When(changed, then=F("version")), default=F("version") + 1
                ),
            )
        )
        announce_after_commit(self.pk)
        return is_mine

    def is_mine(self) -> bool:
        """Whether the row still belongs to the attempt that this object claimed."""
        return self._mine().exists()

    def learn(self, **found: Any) -> None:
        """Record what an attempt found out, as in `total` or `metadata`. Raises StaleJob."""
        new = {name: value for name, value in found.items() if getattr(self, name) != value}
        if new and not self._mine().update(**new, version=F("version") + 1, updated_at=Now()):
            raise StaleJob("The attempt was taken away.")
        for name, value in new.items():
            setattr(self, name, value)
        announce_after_commit(self.pk)

    def _mine(self) -> JobQuerySet:
        """The row, as long as it belongs to the attempt that this object claimed."""
        return DownloadJob.objects.filter(
            pk=self.pk, status=Status.PROCESSING, attempt=self.attempt
        )

    def succeed(
        self,
        artifact: StoredFile,
        *,
        others: Collection[StoredFile] = (),
        in_parts: bool = False,
    ) -> None:
        """Record the artifact, whose object is stored, and what else was made, and finish.

        What was stored `in_parts` may have left an open upload: one whose answer was lost.
        """
        expires_at = from_now(settings.RESULT_KEPT_SECONDS)
        outcome: dict[str, Any] = {
            "expires_at": expires_at,
            "progress": 1,
            "done": ALL_DONE,
            "message": "Ready",
            # A first attempt that stored one piece leaves nothing else behind.
            "collect_at": NOW if in_parts or self.attempt > 1 else None,
            "error_code": "",
            "error": "",
        }
        if artifact.pk is None and not others:
            self._move(
                Event.SUCCEED, Actor.WORKER, file=artifact, artifact=transition.NEW_FILE, **outcome
            )
            return
        with transaction.atomic():
            for file in (artifact, *others):
                file.expires_at = expires_at
                file.save()
            self._move(Event.SUCCEED, Actor.WORKER, artifact=artifact, **outcome)

    def retry(self, code: str, sentence: str, *, after_seconds: int, detail: str = "") -> None:
        self._move(
            Event.RETRY,
            Actor.WORKER,
            code=code,
            detail=detail,
            failures=F("failures") + 1,
            available_at=Now() + timedelta(seconds=after_seconds),
            error_code=code,
            error=sentence,
            message="Waiting to try again",
        )

    def fail(self, code: str, sentence: str, *, detail: str = "") -> None:
        self._move(
            Event.FAIL,
            Actor.WORKER,
            code=code,
            detail=detail,
            failures=F("failures") + 1,
            error_code=code,
            error=sentence,
            message="Failed",
        )

    def hand_back(self) -> None:
        """Give the job back unharmed: this worker was told to stop."""
        self._move(Event.HAND_BACK, Actor.WORKER, message="Waiting for another worker")

    # What happens to it from outside

    def release(self) -> None:
        """All that it was to wait for is done: it may start, though perhaps not before `run_at`."""
        start = Greatest("run_at", Now())  # of what is null Postgres takes no notice
        self._move(
            Event.RELEASE, Actor.DISPATCHER, guard=Q(held=True),
            held=False, run_at=start, available_at=start, message=WAITING,
        )  # fmt: skip

    def skip(self, lost: DownloadJob) -> None:
        """Fail without a try, since `lost`, which was to be completed before, never will be."""
        sentence = f"{lost.name}, which this was to wait for, {ENDED[Status(lost.status)]}."
        self._move(
            Event.SKIP, Actor.DISPATCHER, guard=Q(held=True), code=DEPENDENCY_FAILED,
            error_code=DEPENDENCY_FAILED, error=sentence, message="Failed",
        )  # fmt: skip

    def rescue(self, by: Actor) -> None:
        """Take the job from a worker that died or went silent; the third time, fail it.

        The caller holds the row's lock, so the losses counted here are the losses there are.
        """
        told: dict[str, Any] = {"code": WORKER_LOST, "losses": F("losses") + 1}
        told["detail"] = f"{self.worker} died or fell silent"
        if self.losses + 1 < MAX_LOSSES:
            self._move(Event.RESCUE, by, message="Waiting for another worker", **told)
        else:
            told |= {"error_code": WORKER_LOST, "error": WORKER_LOST_SENTENCE}
            self._move(Event.FAIL, by, message="Failed", **told)

    def cancel(self, by: Actor) -> None:
        """Give up on it, whichever attempt is running. A running builder stops within 2 s."""
        self._move(Event.CANCEL, by, message="Cancelled", error_code="", error="")

    def requeue(self, by: Actor, *, total: int | None) -> None:
        """Run it again with fresh budgets; the attempt goes on counting.

        `total` is measured anew: its sources may have come or gone meanwhile.
        """
        self._move(
            Event.REQUEUE,
            by,
            failures=0,
            losses=0,
            run_at=Now(),
            held=self.after.undone().exists(),
            artifact=None,
            expires_at=None,
            started_at=None,
            progress=0,
            done=0,
            total=total,
            checkpoint=None,  # its parts are collected
            metadata={},
            error_code="",
            error="",
            message=WAITING,
        )

    def expire(self) -> None:
        """Forget the files. Their objects are deleted later, by the dispatcher."""
        with transaction.atomic():
            guard = Q(expires_at__lt=Now())  # a bundle may have asked for it meanwhile
            self._move(
                Event.EXPIRE, Actor.DISPATCHER, guard=guard, artifact=None, message="Expired"
            )
            self.files.all().delete()

    def _move(
        self,
        event: Event,
        by: Actor,
        *,
        guard: Q = NO_GUARD,
        code: str = "",
        detail: str = "",
        file: StoredFile | None = None,
        **changes: Any,
    ) -> None:
        # One conditional UPDATE: the row decides, not our copy of it. Matching on `attempt`
        # shuts out a worker that was given up for dead and came back.
        changes = on_entering(MOVES[event].target) | changes
        is_heard_of = event in ENDS and bool(self.email or self.webhook)  # neither ever changes
        with transaction.atomic() if is_heard_of else nullcontext():
            line_id = transition.update(
                self, event, by, guard=guard, code=code, detail=detail, file=file,
                status=MOVES[event].target, version=NEXT_VERSION, updated_at=NOW, **changes,
            )  # fmt: skip
            if line_id is None:
                raise StaleJob(f"The download can no longer {event.label.lower()}.")
            if is_heard_of:
                line = JobEvent(pk=line_id, job=self, event=event, by=by, attempt=self.attempt)
                Notification.objects.tell_the_end(self, line)
        announce_after_commit(self.pk)
