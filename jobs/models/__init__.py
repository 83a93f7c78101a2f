"""The models. They use the database only; jobs/engine/ has what needs the broker or the bucket."""

from jobs.models.alert import Alert
from jobs.models.api_key import ApiKey, KeyScope
from jobs.models.bulk_action import BulkAction, BulkActionBatch, JobAction, SkipReason
from jobs.models.deleted_job import DeletedJob
from jobs.models.deletion import Deletion
from jobs.models.email_change import (
    cancel_email_change,
    confirm_email_change,
    email_digest,
    request_email_change,
)
from jobs.models.ended_token_family import EndedTokenFamily
from jobs.models.event import JobEvent
from jobs.models.file_queryset import FileQuerySet
from jobs.models.finished_count import FinishedCount
from jobs.models.incoming_upload import IncomingUpload
from jobs.models.job import DownloadJob
from jobs.models.job_row import FileRow, JobRow
from jobs.models.job_statistics import JobStatistics
from jobs.models.lane import Lane, QueueShare
from jobs.models.notification import AccountNotice, Notification
from jobs.models.oidc_identity import OidcIdentity
from jobs.models.preferences import Preferences, can_be_mailed
from jobs.models.queue_limit import QueueLimit
from jobs.models.schedule import Schedule, ScheduleRun
from jobs.models.service_process import ServiceProcess
from jobs.models.share_link import LinkState, ShareLink
from jobs.models.stored_file import StoredFile
from jobs.models.usage import Usage

__all__ = [
    "AccountNotice",
    "Alert",
    "ApiKey",
    "BulkAction",
    "BulkActionBatch",
    "DeletedJob",
    "Deletion",
    "DownloadJob",
    "EndedTokenFamily",
    "FileQuerySet",
    "FileRow",
    "FinishedCount",
    "IncomingUpload",
    "JobAction",
    "JobEvent",
    "JobRow",
    "JobStatistics",
    "KeyScope",
    "Lane",
    "LinkState",
    "Notification",
    "OidcIdentity",
    "Preferences",
    "QueueLimit",
    "QueueShare",
    "Schedule",
    "ScheduleRun",
    "ServiceProcess",
    "ShareLink",
    "SkipReason",
    "StoredFile",
    "Usage",
    "can_be_mailed",
    "cancel_email_change",
    "confirm_email_change",
    "email_digest",
    "request_email_change",
]
