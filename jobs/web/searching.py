"""Limit searches by name, which read thousands of rows each, so that other requests stay fast.

Searches have a rate limit of their own. A process runs a few of them at a time, and one for each
owner; a search that has to wait longer than WAIT_SECONDS is refused. Postgres cancels a search that
takes too long. Used by the lists of the API, the pages and the admin.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from django.db import connection, transaction
from django.http import HttpRequest
from rest_framework.request import Request

from jobs.lib.database import release_database_connection
from jobs.web.problems import Problem
from jobs.web.throttle import throttle_request

MAX_CONCURRENT = 2  # of all owners, in one process
MAX_CONCURRENT_OF_OWNER = 1
MAX_WAITING = 16  # requests, each in a thread of the process; more are rejected at once
WAIT_SECONDS = 2.0
STATEMENT_SECONDS = 2  # other requests have 5
SOON = {"Retry-After": "2"}


@contextmanager
def searching(request: HttpRequest | Request, text: str) -> Iterator[None]:
    """Run a search for the text inside this context. Without a text, nothing is limited.

    Raises Problem: 429 if the owner exceeds a limit, 503 if too many owners search.
    """
    if not text.strip():
        yield
        return
    throttle_request(request, "search")
    release_database_connection()  # others can use it while this request waits
    with _slots.acquire(request.user.pk or 0), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
        yield
        with connection.cursor() as cursor:  # the rest may run in the same transaction
            cursor.execute("SET LOCAL statement_timeout TO DEFAULT")


class SearchSlots:
    """The searches that run in this process. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._searches: Counter[int] = Counter()  # running, by owner
        self._waiting = 0

    @contextmanager
    def acquire(self, owner_id: int) -> Iterator[None]:
        """Wait for a slot and hold it. Raises Problem."""
        with self._changed:
            self._wait_for(owner_id)
            self._searches[owner_id] += 1
        try:
            yield
        finally:
            with self._changed:
                self._searches[owner_id] -= 1
                self._searches += Counter()  # drops owners that have none
                self._changed.notify_all()

    def _wait_for(self, owner_id: int) -> None:
        def is_free() -> bool:
            of_owner, running = self._searches[owner_id], self._searches.total()
            return of_owner < MAX_CONCURRENT_OF_OWNER and running < MAX_CONCURRENT

        if is_free():
            return
        self._waiting += 1
        try:
            is_late = self._waiting > MAX_WAITING
            if is_late or not self._changed.wait_for(is_free, WAIT_SECONDS):
                raise _refusal(is_owners=self._searches[owner_id] >= MAX_CONCURRENT_OF_OWNER)
        finally:
            self._waiting -= 1


def _refusal(*, is_owners: bool) -> Problem:
    if is_owners:
        sentence = "Another search of yours is still running. Try again soon."
        return Problem(HTTPStatus.TOO_MANY_REQUESTS, "throttled", sentence, SOON)
    sentence = "Too many searches are running. Try again soon."
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", sentence, SOON)


_slots = SearchSlots()
