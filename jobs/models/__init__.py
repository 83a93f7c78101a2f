"""The rows. What touches a second system too is a use case: submission, runner, dispatcher."""

from jobs.models.ended_token_family import EndedTokenFamily
from jobs.models.event import JobEvent
from jobs.models.incoming_upload import UPLOAD, Upload
from jobs.models.job import DownloadJob
from jobs.models.job_row import FileRow, JobRow
from jobs.models.notification import Notification
from jobs.models.preferences import Preferences, can_be_mailed
from jobs.models.stored_file import FileQuerySet, StoredFile
from jobs.models.usage import Usage

__all__ = [
    "UPLOAD",
    "DownloadJob",
    "EndedTokenFamily",
    "FileQuerySet",
    "FileRow",
    "JobEvent",
    "JobRow",
    "Notification",
    "Preferences",
    "StoredFile",
    "Upload",
    "Usage",
    "can_be_mailed",
]
