"""The errors that this project raises, as a tree.

JobError
|-- StaleJob                   the job has changed meanwhile; stop working on it
|-- KeyReused                  the idempotency key was used with another request
|-- OwnerBusy                  the owner's earlier request is still being recorded; try again
|-- Undelivered                a mail or webhook was not delivered; `for_good`: do not retry
|-- LimitReached               a limit is exceeded: a public `code`, and when to retry
|   |-- TooManyActive          the owner has too many active downloads
|   |-- TooManyUploads         the owner has too many unfinished uploads
|   |-- StorageFull            the owner's storage quota is used up
|   |-- StoreFull              the whole file store is nearly full
|   `-- QueueFull              the queue is full
`-- BuildError                 one attempt failed: a public `code`, and `retryable`
    |-- SourceMissing          a stored file does not exist
    |-- SourceChanged          a stored file is not what was recorded
    |-- ArchiveTooLarge        the archive would exceed the maximum size of an object
    |-- StorageUnavailable     object storage is down or slow (retryable)
    |-- Stalled                no progress for too long (retryable)
    |-- TypeNotAllowed         an uploaded file has a type that is not allowed
    |-- NoRoom                 the artifact would exceed the owner's storage quota
    |-- RemoteError            the server of a link, or the connection to it
    |   |-- BlockedAddress         the address is not allowed, such as a private network
    |   |-- BlockedRedirect        a redirect to such an address
    |   |-- TooManyRedirects       more redirects than are followed
    |   |-- RemoteRefused          the server refused the file
    |   |-- RemoteNotTrusted       the certificate is not valid
    |   |-- RemoteNotAFile         a web page was sent in place of the file
    |   |-- RemoteEncoded          the file has a content coding, though none was accepted
    |   |-- RemoteTooLarge         the file is too large
    |   |-- RemoteUnavailable      no connection, or it was lost (retryable)
    |   |-- RemoteTooSlow          the transfer is too slow (retryable)
    |   |-- RemoteChanged          the file changed during the download (retryable)
    |   `-- ChecksumMismatch       the file does not have the expected SHA-256
    |-- ProcessingError        an upload has no previews; it is kept without them
    |   |-- FileUnreadable         it is damaged, incomplete, or not of its type
    |   |-- FileEncrypted          it needs a password
    |   |-- PictureTooLarge        it has too many pixels
    |   |-- FileTooComplex         it takes too much memory, time or disk, or crashed its reader
    |   |-- FileTooLarge           it has too many bytes
    |   |-- NothingToShow          it has no picture and no page
    |   `-- NoReader               the program that reads such files is not installed
    |-- Infected               a virus was found in the file
    |-- NotScannable           the file is too large for the virus scanner
    |-- ScannerUnavailable     the virus scanner gave no valid response (retryable)
    `-- Unexpected             a bug (retryable)
Interrupted                    the attempt lost its job, exceeded its time limit, or stalled
"""

from __future__ import annotations

from typing import Any

# Why a job failed, or waits for its next attempt: its `errorCode`. Codes are never renamed.
JOB_CODES: dict[str, str] = {
    "build_failed": "The file could not be created.",
    "source_missing": "A stored file is missing, or you may not read it.",
    "source_changed": "A stored file has changed since it was stored.",
    "archive_too_large": "The files together exceed 5 TiB, the maximum size of an object.",
    "storage_unavailable": "The file store is unavailable; retried after 1, 5 and 30 s.",
    "type_not_allowed": "The content of the file is of a type that is not allowed.",
    "storage_full": "The file needs more storage space than you have left.",
    "blocked_address": "The link leads to a private network, or to a port that is not allowed.",
    "blocked_redirect": "The server redirects to an address that is not allowed.",
    "too_many_redirects": "The server redirects more than 20 times.",
    "remote_refused": "The server refused the file: not found, or not allowed.",
    "remote_not_trusted": "The server's certificate is not valid.",
    "remote_not_a_file": "The server sent a web page instead of the file.",
    "remote_encoded": "The server compressed the file, although it was asked not to.",
    "remote_too_large": "The file is larger than the limit.",
    "remote_unavailable": "The server is unreachable or hangs up; retried after 1, 5 and 30 s.",
    "remote_too_slow": "The server is too slow; retried after 1, 5 and 30 s.",
    "remote_changed": "The file changed while it was fetched; retried after 1, 5 and 30 s.",
    "checksum_mismatch": "The SHA-256 of the file is not the expected one.",
    "infected": "A virus was found in the file.",
    "not_scanned": "The file is too large or too deeply nested to be scanned for viruses.",
    "scanner_unavailable": "The virus scanner is unavailable; retried three times, every 30 s.",
    "dependency_failed": "A download that it depends on failed or was cancelled.",
    "timeout": "It took longer than its time limit, which grows with its size, and was stopped.",
    "stalled": "It made no progress for too long; retried after 1, 5 and 30 s.",
    "worker_lost": "Its worker stopped responding three times.",
    "unexpected": "An unexpected error; retried after 1, 5 and 30 s.",
}
# Why a completed upload has no previews: its `metadata.skippedCode`. Never renamed either.
PREVIEW_CODES: dict[str, str] = {
    "file_unreadable": "The file is damaged, incomplete, or not of the type it claims to be.",
    "file_encrypted": "The file is protected by a password.",
    "picture_too_large": "The picture has too many pixels.",
    "file_too_complex": "Reading it takes too much memory, time or disk space, or crashes.",
    "file_too_large": "The file is too large for previews.",
    "nothing_to_show": "The file has nothing to show, such as a video with sound only.",
    "no_reader": "The program that reads such files is not installed on the server.",
}
# Uploads of earlier versions failed with these codes; now they complete.
FORMER_JOB_CODES = ("file_unreadable", "file_encrypted", "picture_too_large", "file_too_complex")
JOB_CODES |= {
    code: f"{PREVIEW_CODES[code]} Only in jobs of earlier versions: such uploads now complete."
    for code in FORMER_JOB_CODES
}


# Jobs with these codes cannot be run again from pages or the admin.
NOT_RUN_AGAIN = {"infected"}


class JobError(Exception):
    """Base of the errors that this project raises on purpose."""


class StaleJob(JobError):
    """The job is no longer in the status or attempt that the caller last saw."""


class KeyReused(JobError):
    """The idempotency key belongs to a different request."""


class OwnerBusy(JobError):
    """Another request holds this owner's lock."""


class Undelivered(JobError):
    """A mail or webhook was not delivered. The message is one sentence for people.

    It names the host of a URL, never its path. `after_seconds` is the receiver's Retry-After.
    """

    def __init__(self, sentence: str, *, for_good: bool = False, after_seconds: int = 0) -> None:
        super().__init__(sentence)
        self.for_good = for_good
        self.after_seconds = after_seconds


class LimitReached(JobError):
    """The request exceeds a limit; nothing was recorded. `code` is public."""

    code = "limit_reached"
    retry_after_seconds = 60


class TooManyActive(LimitReached):
    code = "too_many_active"
    retry_after_seconds = 10


class TooManyUploads(LimitReached):
    code = "too_many_uploads"
    retry_after_seconds = 60


class StorageFull(LimitReached):
    code = "storage_full"
    retry_after_seconds = 3600


class StoreFull(LimitReached):
    code = "store_full"
    retry_after_seconds = 3600


class QueueFull(LimitReached):
    code = "overloaded"
    retry_after_seconds = 30


class BuildError(JobError):
    """One attempt at building the artifact failed.

    `code` is stored on the job and shown to clients, so it is never renamed. The message is
    one sentence that an owner can act on: no key, no address, no traceback. The next attempt
    starts no sooner than after `after_seconds`. `facts` are kept in the metadata of a failed job.
    """

    code = "build_failed"
    retryable = False

    def __init__(
        self, sentence: str, *, after_seconds: int = 0, facts: dict[str, Any] | None = None
    ) -> None:
        super().__init__(sentence)
        self.after_seconds = after_seconds
        self.facts = facts or {}


class SourceMissing(BuildError):
    """`facts["missingFileIds"]` are the numbers of the missing files, if they are known."""

    code = "source_missing"


class SourceChanged(BuildError):
    code = "source_changed"


class ArchiveTooLarge(BuildError):
    code = "archive_too_large"


class StorageUnavailable(BuildError):
    code = "storage_unavailable"
    retryable = True


class Stalled(BuildError):
    code = "stalled"
    retryable = True


class TypeNotAllowed(BuildError):
    code = "type_not_allowed"


class NoRoom(BuildError):
    code = "storage_full"


class RemoteError(BuildError):
    """Fetching a link failed. The message may name its host, never its path, query or address."""

    code = "remote_refused"


class BlockedAddress(RemoteError):
    code = "blocked_address"


class BlockedRedirect(RemoteError):
    code = "blocked_redirect"


class TooManyRedirects(RemoteError):
    code = "too_many_redirects"


class RemoteRefused(RemoteError):
    pass


class RemoteNotTrusted(RemoteError):
    code = "remote_not_trusted"


class RemoteNotAFile(RemoteError):
    code = "remote_not_a_file"


class RemoteEncoded(RemoteError):
    code = "remote_encoded"


class RemoteTooLarge(RemoteError):
    code = "remote_too_large"


class RemoteUnavailable(RemoteError):
    code = "remote_unavailable"
    retryable = True


class RemoteTooSlow(RemoteError):
    code = "remote_too_slow"
    retryable = True


class RemoteChanged(RemoteError):
    code = "remote_changed"
    retryable = True


class ChecksumMismatch(RemoteError):
    code = "checksum_mismatch"


class ProcessingError(BuildError):
    """Previews of an upload could not be made, or not all. The upload completes without them.

    The message is for the owner; the cause has the error of the reader. `code` is one of
    PREVIEW_CODES.
    """

    code = "file_unreadable"


class FileUnreadable(ProcessingError):
    pass


class FileEncrypted(ProcessingError):
    code = "file_encrypted"


class PictureTooLarge(ProcessingError):
    code = "picture_too_large"


class FileTooComplex(ProcessingError):
    code = "file_too_complex"


class FileTooLarge(ProcessingError):
    code = "file_too_large"


class NothingToShow(ProcessingError):
    code = "nothing_to_show"


class NoReader(ProcessingError):
    code = "no_reader"


class Infected(BuildError):
    code = "infected"


class NotScannable(BuildError):
    code = "not_scanned"


class ScannerUnavailable(BuildError):
    code = "scanner_unavailable"
    retryable = True


class Unexpected(BuildError):
    code = "unexpected"
    retryable = True


class Interrupted(BaseException):
    """Raised inside a builder, at any point, to stop it.

    Not an Exception: botocore converts every Exception that passes through it and retries, and a
    builder must not catch this by accident. `limit_seconds` is the limit that was exceeded.
    """

    def __init__(
        self, *, timed_out: bool = False, stalled: bool = False, limit_seconds: int = 0
    ) -> None:
        exceeded = "no progress" if stalled else "time limit exceeded"
        super().__init__(exceeded if timed_out or stalled else "the attempt lost its job")
        self.timed_out, self.stalled, self.limit_seconds = timed_out, stalled, limit_seconds
