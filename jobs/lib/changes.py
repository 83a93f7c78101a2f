"""Publish job changes with Redis pub/sub, so that watchers read the job again at once.

A lost message delays a watcher by a second, because watchers also poll. So nothing waits for Redis,
and nothing is retried.
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
WAIT_SECONDS = 0.1  # for a Redis that does not respond
REST_SECONDS = 5.0  # after an error, before the next try


def announce_change(job_id: UUID) -> None:
    """Publish the job's id after the transaction commits. Never raises."""
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
        retry=retry,  # once, if the connection was lost
    )
