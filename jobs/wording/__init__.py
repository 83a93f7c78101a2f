"""What people are told about a job, in plain words. Used by the pages.

Zip, file, worker, attempt: never job, bundle or kind. `now` is passed in, so that one page
speaks of one moment.
"""

from jobs.wording.history import Detail, details, history
from jobs.wording.kinds import KINDS, ROLES
from jobs.wording.numbers import (
    added,
    ago,
    days,
    files,
    is_today,
    limit_of,
    moment,
    seconds,
    size_of,
)
from jobs.wording.standing import Told, state_of, told
from jobs.wording.waiting import read_ahead

__all__ = [
    "KINDS",
    "ROLES",
    "Detail",
    "Told",
    "added",
    "ago",
    "days",
    "details",
    "files",
    "history",
    "is_today",
    "limit_of",
    "moment",
    "read_ahead",
    "seconds",
    "size_of",
    "state_of",
    "told",
]
