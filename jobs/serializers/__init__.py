"""What may be asked for, per kind, and what is told about a job. Used by the API and the pages."""

from jobs.serializers.asked import THREADS, BundleRequest, CheckRequest, RemoteRequest, Wanted
from jobs.serializers.fields import FileIdField, FileIdsField, Sha256, StrictSerializer, Text, Url
from jobs.serializers.statistics import (
    ByStatus,
    Lately,
    QueueStatistics,
    Rates,
    RunningJob,
    Total,
    Worker,
    WorkerStatistics,
)
from jobs.serializers.told import (
    AcceptedJob,
    AcceptedLink,
    FileAvailability,
    JobResult,
    JobSerializer,
    LinkJob,
)

__all__ = [
    "THREADS",
    "AcceptedJob",
    "AcceptedLink",
    "BundleRequest",
    "ByStatus",
    "CheckRequest",
    "FileAvailability",
    "FileIdField",
    "FileIdsField",
    "JobResult",
    "JobSerializer",
    "Lately",
    "LinkJob",
    "QueueStatistics",
    "Rates",
    "RemoteRequest",
    "RunningJob",
    "Sha256",
    "StrictSerializer",
    "Text",
    "Total",
    "Url",
    "Wanted",
    "Worker",
    "WorkerStatistics",
]
