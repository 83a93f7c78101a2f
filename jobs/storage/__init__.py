"""Object storage: the only code that uses S3.

Large objects go through `S3Output`, `S3Parts` and `read`, which never hold a whole object in
memory. Functions raise the storage errors of jobs/errors/, never those of boto.
"""

from jobs.storage.bucket import (
    SLOW_READ_SECONDS,
    JobStorage,
    RetryingStorage,
    SlowStorage,
    bucket,
    clock_offset_seconds,
    copy,
    exists,
    has_bucket,
    make_bucket,
    ping,
    read,
    size_of,
    slow_bucket,
    with_retries,
)
from jobs.storage.cleaning import delete, delete_all_but, open_uploads, stored_before
from jobs.storage.lifecycle import (
    left_out,
    lifecycle_rules,
    stored_rules,
    with_others,
    write_rules,
)
from jobs.storage.multipart_upload import (
    MAX_OBJECT_BYTES,
    MIN_PART_BYTES,
    SMALL_PART_BYTES,
    MultipartUpload,
    complete,
    part_bytes,
)
from jobs.storage.output import S3Output
from jobs.storage.parts import Checkpoint, S3Parts
from jobs.storage.read_ahead import ReadAhead
from jobs.storage.signature import attachment
from jobs.storage.signed import presigned_url
from jobs.storage.traffic import moved_bytes

__all__ = [
    "MAX_OBJECT_BYTES",
    "MIN_PART_BYTES",
    "SLOW_READ_SECONDS",
    "SMALL_PART_BYTES",
    "Checkpoint",
    "JobStorage",
    "MultipartUpload",
    "ReadAhead",
    "RetryingStorage",
    "S3Output",
    "S3Parts",
    "SlowStorage",
    "attachment",
    "bucket",
    "clock_offset_seconds",
    "complete",
    "copy",
    "delete",
    "delete_all_but",
    "exists",
    "has_bucket",
    "left_out",
    "lifecycle_rules",
    "make_bucket",
    "moved_bytes",
    "open_uploads",
    "part_bytes",
    "ping",
    "presigned_url",
    "read",
    "size_of",
    "slow_bucket",
    "stored_before",
    "stored_rules",
    "with_others",
    "with_retries",
    "write_rules",
]
