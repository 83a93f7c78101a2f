"""What is told of the service as a whole."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class ByStatus(serializers.Serializer[Any]):
    """How many jobs have which status."""

    queued = serializers.IntegerField()
    processing = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    expired = serializers.IntegerField()


class Total(ByStatus):
    total = serializers.IntegerField()


class Lately(serializers.Serializer[Any]):
    """Jobs that came and went in the time."""

    submitted = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class Rates(serializers.Serializer[Any]):
    lastMinute = Lately()
    lastHour = Lately()


class QueueStatistics(serializers.Serializer[Any]):
    """The queue as a whole. `oldestQueuedSeconds` is null while nothing is due."""

    queue_stats = Total()
    kinds = serializers.DictField(child=ByStatus())
    waitingForRetry = serializers.IntegerField()
    waitingForTheirTime = serializers.IntegerField()
    waitingForOthers = serializers.IntegerField()
    stalled = serializers.IntegerField()
    oldestQueuedSeconds = serializers.FloatField(allow_null=True)
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
    """A worker. `processes`, as many jobs as it runs at once, is null where it does not answer."""

    name = serializers.CharField()
    answers = serializers.BooleanField()
    processes = serializers.IntegerField(allow_null=True)
    jobs = RunningJob(many=True)


class WorkerStatistics(serializers.Serializer[Any]):
    """The workers, and what they do. Without the broker it is known from the jobs alone."""

    brokerAnswers = serializers.BooleanField()
    workers = Worker(many=True)
    timestamp = serializers.DateTimeField()
