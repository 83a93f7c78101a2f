"""What people are told about a job, in plain words. Used by the pages.

Zip, file, worker, attempt: never job, bundle or kind. `now` is passed in, so that one page
speaks of one moment.
"""

from jobs.wording.history import asked_for, details, history
from jobs.wording.numbers import added, ago, files, is_today, moment, size_of
from jobs.wording.standing import KINDS, Told, told

__all__ = [
    "KINDS",
    "Told",
    "added",
    "ago",
    "asked_for",
    "details",
    "files",
    "history",
    "is_today",
    "moment",
    "size_of",
    "told",
]
