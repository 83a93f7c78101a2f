"""Searches for a name. Each reads thousands of rows, so they must not take everybody's time.

A search has a rate of its own. In a process, an owner has one at a time, and all together have a
few. Whoever finds no room within WAIT_SECONDS is asked to come again. Postgres ends a search that
takes too long. Used by the lists of the API, of the pages and of the admin.
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

from jobs.patience import give_back_connection
from jobs.problems import Problem
from jobs.throttle import limit

MAX_AT_ONCE = 2  # of all owners, in one process
MAX_OF_OWNER = 1
MAX_WAITING = 16  # requests, each in a thread of the process; others are refused at once
WAIT_SECONDS = 2.0
STATEMENT_SECONDS = 2  # of other requests: 5
SOON = {"Retry-After": "2"}


@contextmanager
def searching(request: HttpRequest | Request, text: str) -> Iterator[None]:
    """Evaluate a search for the text in here; of no text, nothing is counted.

    Raises the Problem 429 where the owner searches too often or at once, 503 where all do.
    """
    if not text.strip():
        yield
        return
    limit(request, "search")
    give_back_connection()  # others need it while this one waits
    with _places.taken(request.user.pk or 0), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
        yield
        with connection.cursor() as cursor:  # what follows may be in the same transaction
            cursor.execute("SET LOCAL statement_timeout TO DEFAULT")


class Places:
    """Who searches in this process. Of any threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._searches: Counter[int] = Counter()  # under way, by owner
        self._waiting = 0

    @contextmanager
    def taken(self, owner_id: int) -> Iterator[None]:
        """Wait for a place, and have it. Raises Problem."""
        with self._changed:
            self._wait_for(owner_id)
            self._searches[owner_id] += 1
        try:
            yield
        finally:
            with self._changed:
                self._searches[owner_id] -= 1
                self._searches += Counter()  # forgets those who have none
                self._changed.notify_all()

    def _wait_for(self, owner_id: int) -> None:
        def is_free() -> bool:
            of_owner, all_ = self._searches[owner_id], self._searches.total()
            return of_owner < MAX_OF_OWNER and all_ < MAX_AT_ONCE

        if is_free():
            return
        self._waiting += 1
        try:
            is_late = self._waiting > MAX_WAITING
            if is_late or not self._changed.wait_for(is_free, WAIT_SECONDS):
                raise _refusal(is_owners=self._searches[owner_id] >= MAX_OF_OWNER)
        finally:
            self._waiting -= 1


def _refusal(*, is_owners: bool) -> Problem:
    if is_owners:
        sentence = "Another search of yours is still running. Try again soon."
        return Problem(HTTPStatus.TOO_MANY_REQUESTS, "throttled", sentence, SOON)
    sentence = "Too many searches are running. Try again soon."
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", sentence, SOON)


_places = Places()
