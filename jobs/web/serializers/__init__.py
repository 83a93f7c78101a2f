"""Serializers of requests and responses. The API and the pages use them."""

from jobs.web.serializers.fields import (
    MAX_WEBHOOK_CHARS,
    FileIdField,
    FileIdsField,
    Sha256,
    StrictSerializer,
    TextField,
    Url,
)
from jobs.web.serializers.problem import ProblemSerializer
from jobs.web.serializers.requests import (
    CheckRequest,
    JobRequest,
    WatchRequest,
    request_of,
)
from jobs.web.serializers.responses import (
    FileAvailability,
    JobResult,
    JobSerializer,
    KindsResponse,
    ProcessedFile,
)
from jobs.web.serializers.statistics import (
    ByStatus,
    QueueStatistics,
    Rates,
    RecentJobs,
    RunningJob,
    Total,
    Worker,
    WorkerStatistics,
)
from jobs.web.serializers.terms import TermsRequest, terms_of_form

__all__ = [
    "MAX_WEBHOOK_CHARS",
    "ByStatus",
    "CheckRequest",
    "FileAvailability",
    "FileIdField",
    "FileIdsField",
    "JobRequest",
    "JobResult",
    "JobSerializer",
    "KindsResponse",
    "ProblemSerializer",
    "ProcessedFile",
    "QueueStatistics",
    "Rates",
    "RecentJobs",
    "RunningJob",
    "Sha256",
    "StrictSerializer",
    "TermsRequest",
    "TextField",
    "Total",
    "Url",
    "WatchRequest",
    "Worker",
    "WorkerStatistics",
    "request_of",
    "terms_of_form",
]
