"""Announcements that a job has changed, by Redis' publish and subscribe.

A hint for whoever watches the job: it is read again at once. What is lost costs them a second,
since they also look by themselves; so nobody waits for Redis, and nothing is tried again.
"""

from __future__ import annotations

import time
from functools import cache, partial
from uuid import UUID

import redis
import structlog
from django.conf import settings
from django.db import transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

log = structlog.get_logger(__name__)

CHANNEL = "jobs:changed"
WAIT_SECONDS = 0.1  # for a Redis that is silent
REST_SECONDS = 5.0  # then nothing is announced for so long


def announce_after_commit(job_id: UUID) -> None:
    """Tell watchers once the change is durable. Never raises."""
    transaction.on_commit(partial(_publisher.publish, str(job_id)))


class _Publisher:
    def __init__(self) -> None:
        self._rests_until = 0.0

    def publish(self, job_id: str) -> None:
        if time.monotonic() < self._rests_until:
            return
        try:
            _client(settings.CACHE_URL).publish(CHANNEL, job_id)
        except (redis.RedisError, OSError) as error:
            self._rests_until = time.monotonic() + REST_SECONDS
            log.warning("changes go unannounced", error=repr(error))


_publisher = _Publisher()


@cache
def _client(url: str) -> redis.Redis:
    retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    return redis.Redis.from_url(
        url,
        socket_timeout=WAIT_SECONDS,
        socket_connect_timeout=WAIT_SECONDS,
        protocol=2,
        driver_info=None,
        retry=retry,  # once, where the line was cut
    )
