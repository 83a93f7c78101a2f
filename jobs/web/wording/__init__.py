"""Texts about jobs for pages and mails, in words for people who know nothing of the code.

They say zip, file, worker and attempt, never job, bundle or kind. `now` is passed in, so that all
texts on a page are of the same moment.
"""

from jobs.lib.file_size import file_size_text
from jobs.web.wording.history import details, history
from jobs.web.wording.next_steps import next_step
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
)
from jobs.web.wording.status_icon import status_of
from jobs.web.wording.status_text import StatusText, describe
from jobs.web.wording.waiting import read_ahead

__all__ = [
    "Notice",
    "StatusText",
    "added",
    "ago",
    "amount",
    "days",
    "describe",
    "details",
    "file_size_text",
    "files",
    "history",
    "is_today",
    "limit_of",
    "moment",
    "next_step",
    "notice",
    "read_ahead",
    "seconds",
    "status_of",
]
