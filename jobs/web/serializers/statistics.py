"""Statistics of the queue and the workers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from jobs.models import QueueLimit


class ByStatus(serializers.Serializer[Any]):
    """The number of jobs with each status."""

    queued = serializers.IntegerField()
    processing = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    expired = serializers.IntegerField()


class Total(ByStatus):
    total = serializers.IntegerField()


class RecentJobs(serializers.Serializer[Any]):
    """The number of jobs with each event in a period."""

    submitted = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class Rates(serializers.Serializer[Any]):
    """`lastMinute` is the last whole minute; `lastHour` ends now, at most ten seconds late."""

    lastMinute = RecentJobs()
    lastHour = RecentJobs()


class LimitInForce(serializers.Serializer[Any]):
    """A limit on running jobs, or a pause.

    `name` is the kind or the concurrency key. In the scopes `owner` and `key`, without `userId` or
    `name`, it is the limit of each one without its own, and `running` is the most that one runs.
    `waiting` are the jobs that are ready to start, `reached` tells whether some of them wait for
    this limit. `changedAt` is null for the limit that a kind's class sets.
    """

    scope = serializers.ChoiceField(choices=QueueLimit.Scope.values)
    name = serializers.CharField()
    userId = serializers.CharField(allow_null=True)
    maxRunning = serializers.IntegerField(allow_null=True)
    running = serializers.IntegerField()
    waiting = serializers.IntegerField()
    paused = serializers.BooleanField()
    reached = serializers.BooleanField()
    reason = serializers.CharField()
    changedAt = serializers.DateTimeField(allow_null=True)


class QueueStatistics(serializers.Serializer[Any]):
    """Statistics of the queue. `oldestQueuedSeconds` is null if no job is due."""

    queue_stats = Total()
    kinds = serializers.DictField(child=ByStatus())
    waitingForRetry = serializers.IntegerField()
    waitingForTheirTime = serializers.IntegerField()
    waitingForOthers = serializers.IntegerField()
    stalled = serializers.IntegerField()
    oldestQueuedSeconds = serializers.FloatField(allow_null=True)
    limits = LimitInForce(many=True)
    rates = Rates()
    timestamp = serializers.DateTimeField()


class RunningJob(serializers.Serializer[Any]):
    jobId = serializers.UUIDField()
    kind = serializers.CharField()
    attempt = serializers.IntegerField()
    progress = serializers.FloatField()
    message = serializers.CharField()
    startedAt = serializers.DateTimeField()
    leaseUntil = serializers.DateTimeField()


class Worker(serializers.Serializer[Any]):
    """A worker. `processes` is how many jobs it runs at once now, `maxProcesses` with --autoscale.

    Workers report every five seconds. One that has not reported for 20 s does not answer. Members
    are null for a worker that has a job and never reported.
    """

    name = serializers.CharField()
    answers = serializers.BooleanField()
    processes = serializers.IntegerField(allow_null=True)
    maxProcesses = serializers.IntegerField(allow_null=True)
    queues = serializers.ListField(child=serializers.CharField())
    memoryBytes = serializers.IntegerField(allow_null=True)
    startedAt = serializers.DateTimeField(allow_null=True)
    seenAt = serializers.DateTimeField(allow_null=True)
    jobs = RunningJob(many=True)


class WorkerStatistics(serializers.Serializer[Any]):
    """The workers and their jobs. `brokerAnswers` tells whether new jobs reach them."""

    brokerAnswers = serializers.BooleanField()
    workers = Worker(many=True)
    timestamp = serializers.DateTimeField()
