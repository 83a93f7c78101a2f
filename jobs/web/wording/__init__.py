"""What people are told about a job, in plain words. Used by the pages.

Zip, file, worker, attempt: never job, bundle or kind. `now` is passed in, so that one page
speaks of one moment.
"""

from jobs.web.wording.history import Detail, details, history
from jobs.web.wording.kinds import KINDS, ROLES
from jobs.web.wording.notices import Notice, notice
from jobs.web.wording.numbers import (
    added,
    ago,
    amount,
    days,
    files,
    is_today,
    limit_of,
    moment,
    seconds,
    size_of,
)
from jobs.web.wording.status_text import Told, state_of, told
from jobs.web.wording.waiting import read_ahead

__all__ = [
    "KINDS",
    "ROLES",
    "Detail",
    "Notice",
    "Told",
    "added",
    "ago",
    "amount",
    "days",
    "details",
    "files",
    "history",
    "is_today",
    "limit_of",
    "moment",
    "notice",
    "read_ahead",
    "seconds",
    "size_of",
    "state_of",
    "told",
]
