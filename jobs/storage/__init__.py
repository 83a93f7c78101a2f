"""Object storage: the only code that uses S3.

Large objects go through `S3Output`, `S3Parts` and `read_object`, which never hold a whole object in
memory. Functions raise the storage errors of jobs/errors/, never those of boto.
"""

from jobs.storage.bucket import (
    SLOW_READ_SECONDS,
    BucketStorage,
    RetryingStorage,
    SlowStorage,
    bucket,
    bucket_clock_offset,
    has_bucket,
    make_bucket,
    own_bucket_name,
    ping_bucket,
    slow_bucket,
    with_bucket_retries,
)
from jobs.storage.cors_rules import allow_origins
from jobs.storage.deletion import delete_all_objects_but, delete_object_and_uploads
from jobs.storage.examination import ExaminedObject, ObjectExaminer, PendingObject
from jobs.storage.lifecycle import (
    lifecycle_rules,
    merge_lifecycle_rules,
    missing_lifecycle_actions,
    stored_lifecycle_rules,
    write_lifecycle_rules,
)
from jobs.storage.listing import (
    StoredObject,
    list_object_pages,
    list_objects,
    list_open_uploads,
)
from jobs.storage.multipart_upload import (
    MAX_OBJECT_BYTES,
    MIN_PART_BYTES,
    SMALL_PART_BYTES,
    MultipartUpload,
    complete_multipart_upload,
    multipart_part_bytes,
)
from jobs.storage.objects import copy_object, object_exists, object_size, read_object
from jobs.storage.output import S3Output
from jobs.storage.parts import Checkpoint, S3Parts
from jobs.storage.presigned_urls import presigned_url
from jobs.storage.read_ahead import ReadAhead
from jobs.storage.signature import attachment_header
from jobs.storage.sizes import object_sizes
from jobs.storage.traffic import traffic_bytes

__all__ = [
    "MAX_OBJECT_BYTES",
    "MIN_PART_BYTES",
    "SLOW_READ_SECONDS",
    "SMALL_PART_BYTES",
    "BucketStorage",
    "Checkpoint",
    "ExaminedObject",
    "MultipartUpload",
    "ObjectExaminer",
    "PendingObject",
    "ReadAhead",
    "RetryingStorage",
    "S3Output",
    "S3Parts",
    "SlowStorage",
    "StoredObject",
    "allow_origins",
    "attachment_header",
    "bucket",
    "bucket_clock_offset",
    "complete_multipart_upload",
    "copy_object",
    "delete_all_objects_but",
    "delete_object_and_uploads",
    "has_bucket",
    "lifecycle_rules",
    "list_object_pages",
    "list_objects",
    "list_open_uploads",
    "make_bucket",
    "merge_lifecycle_rules",
    "missing_lifecycle_actions",
    "multipart_part_bytes",
    "object_exists",
    "object_size",
    "object_sizes",
    "own_bucket_name",
    "ping_bucket",
    "presigned_url",
    "read_object",
    "slow_bucket",
    "stored_lifecycle_rules",
    "traffic_bytes",
    "with_bucket_retries",
    "write_lifecycle_rules",
]
