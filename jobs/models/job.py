"""DownloadJob: everything that can happen to a job, each as one method.

`_move` is the only code that changes a status. Nothing here uses the broker, the bucket or HTTP:
see engine/submission.py, engine/runner.py and engine/dispatcher.py for that.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Greatest, Now

from jobs.errors import DEPENDENCY_FAILED, WORKER_LOST, StaleJob
from jobs.lib.backoff import MAX_LOSSES
from jobs.lib.changes import announce_change
from jobs.models import transition
from jobs.models.deleted_job import DeletedJob
from jobs.models.event import JobEvent, storable_event_text
from jobs.models.job_fields import JobFields
from jobs.models.job_queryset import JobQuerySet
from jobs.models.move_log import log_move
from jobs.models.notification import Notification
from jobs.models.stored_file import StoredFile
from jobs.models.transition import NOW, Search, seconds_from_now, transition_changes
from jobs.states import ENDS, FINAL, MOVES, WAITING, Actor, Event, Status

MAX_ERROR_CHARS = 500
NO_GUARD = Q()
NOT_DELETED = Q(deletion=None)
CLAIM_EARLY = timedelta(milliseconds=250)  # a doorbell may be this much ahead of the due time
IS_DUE = Q(held=False, available_at__lte=NOW + CLAIM_EARLY)
ALL_DONE = Coalesce("total", "done")
SAME_TIME = F("available_at")
NEXT_ATTEMPT, NEXT_VERSION = F("attempt") + 1, F("version") + 1
ENDED = {Status.FAILED: "failed", Status.CANCELLED: "was cancelled"}
WORKER_LOST_SENTENCE = "The worker stopped responding three times. Ask an operator."


class DownloadJob(JobFields):
    """One piece of slow work that an owner requested. The row is the source of truth about it."""

    objects = JobQuerySet.as_manager()
    running_time: timedelta  # only of jobs from `with_running_time`

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"

    @property
    def is_finished(self) -> bool:
        return self.status in FINAL

    @property
    def is_due(self) -> bool:
        """Return whether a worker could start it as soon as it was queued."""
        return not self.held and not self.is_scheduled

    @property
    def is_scheduled(self) -> bool:
        """Return whether it was queued for a later time."""
        return self.run_at is not None and self.run_at > self.updated_at

    def allows(self, event: Event) -> bool:
        """Return whether the event can happen in the status that this copy of the row has."""
        return self.status in MOVES[event].sources

    # Called by the worker

    @classmethod
    def claim_next(cls, search: Search, *, task_id: str, worker: str) -> Self:
        """Start an attempt of the job found. Raises NothingReady, and StaleJob if it is too new."""
        job = cls()
        job._claim(
            task_id, worker, search=search, queue=search.queue,
            virtual_start=transition.FOUND_START, estimated_seconds=transition.FOUND_SECONDS,
        )  # fmt: skip
        return job

    def claim(self, *, task_id: str, worker: str) -> None:
        """Start an attempt of this job. Raises StaleJob if it is not due or already claimed."""
        self._claim(task_id, worker, queue="", virtual_start=None, estimated_seconds=None)

    def _claim(self, task_id: str, worker: str, **changes: Any) -> None:
        self._move(
            Event.CLAIM, Actor.WORKER, guard=IS_DUE, detail=worker, attempt=NEXT_ATTEMPT,
            lease_until=seconds_from_now(settings.LEASE_SECONDS), task_id=task_id, worker=worker,
            started_at=NOW, progress=0, done=0, speed=0, threads=0, message="Starting", **changes,
        )  # fmt: skip

    def heartbeat(self, *, done: int, message: str, speed: int = 0, threads: int = 0) -> bool:
        """Renew the lease and record progress. Return False if another attempt owns the row."""
        changed = Q(done=done, message=message, speed=speed, threads=threads)
        is_current = bool(
            self._current_attempt().update(
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
        announce_change(self.pk)
        return is_current

    def is_current_attempt(self) -> bool:
        """Return whether the attempt that this object claimed still owns the row."""
        return self._current_attempt().exists()

    def record(self, **values: Any) -> None:
        """Save what the attempt found out, such as `total` or `metadata`. Raises StaleJob."""
        new = {name: value for name, value in values.items() if getattr(self, name) != value}
        if new and not self._current_attempt().update(
            **new, version=F("version") + 1, updated_at=Now()
        ):
            raise StaleJob("The attempt was cancelled.")
        for name, value in new.items():
            setattr(self, name, value)
        announce_change(self.pk)

    def _current_attempt(self) -> JobQuerySet:
        """Return the row, or nothing if the attempt that this object claimed lost it."""
        return DownloadJob.objects.filter(
            pk=self.pk, status=Status.PROCESSING, attempt=self.attempt
        )

    def succeed(
        self,
        artifact: StoredFile | None,
        *,
        others: Collection[StoredFile] = (),
        in_parts: bool = False,
    ) -> None:
        """Complete the job with its artifact and `others`, whose objects are stored already.

        A kind that makes no file has no artifact. Without any file, the job never expires.
        Pass `in_parts` for a multipart upload: if a response was lost, one may still be open, and
        the dispatcher looks for it.
        """
        files = [*([artifact] if artifact else []), *others]
        expires_at = seconds_from_now(settings.RESULT_KEPT_SECONDS)
        outcome: dict[str, Any] = {
            "expires_at": expires_at if files else None,
            "progress": 1,
            "done": ALL_DONE,
            "message": "Ready" if artifact else "Done",
            # A first attempt with a single PUT leaves nothing behind.
            "collect_at": NOW if in_parts or self.attempt > 1 else None,
            "error_code": "",
            "error": "",
        }
        if artifact and artifact.pk is None and not others:
            self._move(
                Event.SUCCEED, Actor.WORKER, file=artifact, artifact=transition.NEW_FILE, **outcome
            )
            return
        with transaction.atomic():
            for file in files:
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
            error=_storable(sentence),
            message="Waiting to retry",
        )

    def fail(
        self, code: str, sentence: str, *, detail: str = "", facts: dict[str, Any] | None = None
    ) -> None:
        """Fail for good. `facts` are added to the metadata."""
        self._move(
            Event.FAIL,
            Actor.WORKER,
            code=code,
            detail=detail,
            failures=F("failures") + 1,
            error_code=code,
            error=_storable(sentence),
            message="Failed",
            **({"metadata": self.metadata | facts} if facts else {}),
        )

    def hand_back(self) -> None:
        """Requeue the job without counting a failure, because this worker is stopping."""
        self._move(Event.HAND_BACK, Actor.WORKER, message="Waiting for another worker")

    # Called by the dispatcher, the owner or an operator

    def release(self) -> None:
        """Unblock the job: its dependencies are done. It starts now, or at `run_at`."""
        start = Greatest("run_at", Now())  # GREATEST ignores NULL
        self._move(
            Event.RELEASE, Actor.DISPATCHER, guard=Q(held=True),
            held=False, run_at=start, available_at=start, message=WAITING,
        )  # fmt: skip

    def fail_with_dependency(self, dependency: DownloadJob) -> None:
        """Fail the blocked job without an attempt, because `dependency` failed or was cancelled."""
        ending = ENDED[Status(dependency.status)]
        sentence = f"{dependency.name}, which this download depends on, {ending}."
        self._move(
            Event.DEPENDENCY_FAILED, Actor.DISPATCHER, guard=Q(held=True), code=DEPENDENCY_FAILED,
            error_code=DEPENDENCY_FAILED, error=sentence, message="Failed",
        )  # fmt: skip

    def rescue(self, by: Actor) -> None:
        """Requeue the job of a worker that died or stopped responding; fail it the third time.

        The caller holds the row's lock, so `losses` is up to date.
        """
        changes: dict[str, Any] = {"code": WORKER_LOST, "losses": F("losses") + 1}
        changes["detail"] = f"{self.worker} died or stopped responding"
        if self.losses + 1 < MAX_LOSSES:
            self._move(Event.RESCUE, by, message="Waiting for another worker", **changes)
        else:
            changes |= {"error_code": WORKER_LOST, "error": WORKER_LOST_SENTENCE}
            self._move(Event.FAIL, by, message="Failed", **changes)

    def cancel(self, by: Actor, *, detail: str = "") -> None:
        """Cancel the job, whichever attempt is running. A running builder stops within 2 s.

        `detail`, here and below, names the operator.
        """
        self._move(Event.CANCEL, by, detail=detail, message="Cancelled", error_code="", error="")

    def change_priority(self, priority: int, *, detail: str) -> None:
        """Change the priority of a queued job, as an operator. The dispatcher rings again."""
        self._move(
            Event.CHANGE_PRIORITY, Actor.OPERATOR, guard=~Q(priority=priority), detail=detail,
            priority=priority, available_at=SAME_TIME,
        )  # fmt: skip

    def requeue(self, by: Actor, *, total: int | None, detail: str = "") -> None:
        """Queue a finished job again, with its failures and losses reset.

        `total` is measured again by the caller, because its sources may have changed.
        """
        self._move(
            Event.REQUEUE,
            by,
            guard=NOT_DELETED,
            detail=detail,
            failures=0,
            losses=0,
            run_at=Now(),
            held=DownloadJob.objects.dependencies_of(self.pk).not_completed().exists(),
            artifact=None,
            expires_at=None,
            started_at=None,
            progress=0,
            done=0,
            total=total,
            checkpoint=None,  # its parts were deleted
            metadata={},
            error_code="",
            error="",
            message=WAITING,
        )

    def delete_ended(self) -> None:
        """Delete a finished job with its files and history. Raises StaleJob.

        The dispatcher deletes its objects later: collect_deleted_jobs().
        """
        with transaction.atomic():
            row = DownloadJob.objects.filter(pk=self.pk, attempt=self.attempt, status__in=FINAL)
            if not row.update(artifact=None):
                raise StaleJob("The download is active again, so it cannot be deleted.")
            files, _ = self.files.all().delete()
            assert self.finished_at  # as the table's constraints have it
            if files or self.collect_at:
                DeletedJob.objects.create(
                    pk=self.pk, kind=self.kind, finished_at=self.finished_at,
                    size_bytes=max(self.done, self.total or 0),
                )  # fmt: skip
            row.only("pk").delete()
        announce_change(self.pk)

    def expire(self) -> None:
        """Delete the rows of its files. The dispatcher deletes their objects later."""
        with transaction.atomic():
            guard = Q(expires_at__lt=Now())  # a new bundle may have extended it
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
        search: Search | None = None,
        **changes: Any,
    ) -> None:
        """Change the status and write the event, in one statement. Raises StaleJob.

        The UPDATE is conditional, so the row decides, not this copy of it. Matching on `attempt`
        keeps out a worker whose job was given to another one.
        """
        changes = transition_changes(MOVES[event].target) | changes
        has_recipient = event in ENDS and bool(self.email or self.webhook)  # neither ever changes
        with transaction.atomic() if has_recipient else nullcontext():
            line_id = transition.update_for_transition(
                self, event, by, guard=guard, code=code, detail=detail, file=file, search=search,
                status=MOVES[event].target, version=NEXT_VERSION, updated_at=NOW, **changes,
            )  # fmt: skip
            if line_id is None:
                sentence = f"The download does not allow this any more: {event.label.lower()}."
                raise StaleJob(transition.REFUSALS.get(event, sentence))
            if has_recipient:
                line = JobEvent(pk=line_id, job=self, event=event, by=by, attempt=self.attempt)
                Notification.objects.record_outcome(self, line)
        log_move(self, event, by, code=code)
        announce_change(self.pk)


def _storable(sentence: str) -> str:
    """Return the beginning of a builder's sentence that fits into the column `error`."""
    return storable_event_text(sentence[:MAX_ERROR_CHARS])
