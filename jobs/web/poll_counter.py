"""Counts polls by the database that they were read from, while there is a replica."""

from __future__ import annotations

from prometheus_client import Counter

_polls = Counter("downloads_polls_read", "Polls with a replica, by what was read.", ["database"])
_by_replica = {True: _polls.labels("replica"), False: _polls.labels("primary")}


def count_poll_read(*, from_replica: bool) -> None:
    _by_replica[from_replica].inc()
