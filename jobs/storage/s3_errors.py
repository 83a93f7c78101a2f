"""The error responses of S3: which are transient, and what their codes mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from jobs.errors import (
    BucketMissing,
    BuildError,
    SourceForbidden,
    SourceMissing,
    StorageUnavailable,
)

GONE = {"NoSuchKey", "NoSuchUpload", "404", "NotFound"}
TRANSIENT = {429, 500, 502, 503, 504}
THROTTLED = {"SlowDown", "RequestLimitExceeded", "BandwidthLimitExceeded", "RequestThrottled"}
# What a bucket of somebody else may answer. A retry does not help there; with our own it does.
OTHER_BUCKET: dict[str, type[SourceMissing]] = {
    "NoSuchBucket": BucketMissing,
    "AccessDenied": SourceForbidden,
    "AllAccessDisabled": SourceForbidden,
    "403": SourceForbidden,  # to HEAD, whose response has no code
}
CHANGED = {412, 416}  # for a GET that resumes: another version, or no such bytes


class ErrorResponse(Exception):
    """An error response of the store. For operators, not for owners."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers = status, headers
        # A response to HEAD has no body, and one of a proxy another format.
        self.code, message = _text("Code", body) or str(status), _text("Message", body)
        super().__init__(f"{status} {self.code}: {message}")

    @property
    def is_transient(self) -> bool:
        return self.status in TRANSIENT or self.code == "RequestTimeout" or self.is_throttling

    @property
    def is_throttling(self) -> bool:
        return self.code in THROTTLED or self.status == 429


def _text(name: str, body: bytes) -> str:
    found = re.search(rf"<{name}>([^<]*)</{name}>".encode(), body)
    return found[1].decode(errors="replace") if found else ""


@contextmanager
def map_s3_errors(gone: type[BuildError] = SourceMissing) -> Iterator[None]:
    """Convert boto's errors: raises StorageUnavailable, or `gone` if nothing has that key."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in GONE:
            raise gone("A stored file could not be found.") from error
        raise StorageUnavailable("The file store refused a request.") from error
    except BotoCoreError as error:
        raise StorageUnavailable("The file store could not be reached.") from error
