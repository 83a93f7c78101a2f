"""Texts about jobs for pages and mails, in words for people who know nothing of the code.

They say zip, file, worker and attempt, never job, bundle or kind. `now` is passed in, so that all
texts on a page are of the same moment.
"""

from jobs.lib.file_size import file_size_text
from jobs.web.wording.history import history_details, history_entries
from jobs.web.wording.next_steps import next_step
from jobs.web.wording.notices import Notice, notice_texts
from jobs.web.wording.number_text import (
    amount_text,
    counted_text,
    files_text,
    size_limit_text,
)
from jobs.web.wording.sharing import share_lines
from jobs.web.wording.status_icon import status_icon_and_word
from jobs.web.wording.status_text import StatusText, job_status_text
from jobs.web.wording.time_text import (
    added_text,
    ago_text,
    day_range_text,
    duration_text,
    is_today,
    moment_text,
)
from jobs.web.wording.waiting import prefetch_waiting_for

__all__ = [
    "Notice",
    "StatusText",
    "added_text",
    "ago_text",
    "amount_text",
    "counted_text",
    "day_range_text",
    "duration_text",
    "file_size_text",
    "files_text",
    "history_details",
    "history_entries",
    "is_today",
    "job_status_text",
    "moment_text",
    "next_step",
    "notice_texts",
    "prefetch_waiting_for",
    "share_lines",
    "size_limit_text",
    "status_icon_and_word",
]
