"""Everything that goes wrong on purpose, by who has to act.

JobError
|-- StaleJob                   the row moved on; drop what you were doing
|-- KeyReused                  an idempotency key came again with another request
|-- OwnerBusy                  the owner's earlier request is still being recorded; try again
|-- Undelivered                a mail or webhook was not taken; `for_good`: nor will it be
|-- LimitReached               not now: a public `code`, and when to ask again
|   |-- TooManyActive          the owner has as many downloads under way as they may
|   |-- StorageFull            the owner's results take up what they may
|   |-- StoreFull              the whole file store is nearly full
|   `-- QueueFull              everybody together has queued too much
`-- BuildError                 one attempt failed: a public `code`, and `retryable`
    |-- SourceMissing          a stored file is gone, or was never there
    |-- SourceChanged          a stored file is not the one that was recorded
    |-- ArchiveTooLarge        together the files are more than the file store takes as one
    |-- StorageUnavailable     object storage is down or slow (retryable)
    |-- Stalled                nothing moved for too long (retryable)
    |-- TypeNotAllowed         an uploaded file is of a type that is not taken
    |-- NoRoom                 the owner's results would take up more than they may
    |-- RemoteError            the other side of a link, or the way there
    |   |-- BlockedAddress         we do not fetch from there: a private network, most of all
    |   |-- BlockedRedirect        it sends us on to such a place
    |   |-- TooManyRedirects       it sends us on and on
    |   |-- RemoteRefused          it says no, and will say so again
    |   |-- RemoteNotTrusted       nobody vouches for who it says it is
    |   |-- RemoteNotAFile         it sends a web page in place of the file
    |   |-- RemoteEncoded          it sends the file packed, though we asked it not to
    |   |-- RemoteTooLarge         the file is larger than we fetch
    |   |-- RemoteUnavailable      it cannot be reached, or breaks off (retryable)
    |   |-- RemoteTooSlow          it sends next to nothing (retryable)
    |   |-- RemoteChanged          the file changed while we fetched it (retryable)
    |   `-- ChecksumMismatch       all arrived, and is not what the owner expects
    |-- ProcessingError        no previews can be made of an upload, which is kept without them
    |   |-- FileUnreadable         it is broken, breaks off, or is not what it says
    |   |-- FileEncrypted          it wants a password
    |   |-- PictureTooLarge        it has more pixels than we read
    |   |-- FileTooComplex         it takes too much memory, time or room, or broke its reader
    |   |-- FileTooLarge           it has more bytes than we read
    |   |-- NothingToShow          it has no picture, no page
    |   `-- NoReader               the program that reads such files is not installed
    |-- Infected               a virus was found in the file
    |-- NotScannable           the file is more than the virus scanner takes
    |-- ScannerUnavailable     the virus scanner is away, silent or confused (retryable)
    `-- Unexpected             a bug, or something nobody thought of (retryable)
Interrupted                    the attempt was taken away, its time is up, or it stands still
"""

from __future__ import annotations

# Why a job failed, or waits for its next try: its `errorCode`. One may be added, and none is ever
# renamed.
JOB_CODES: dict[str, str] = {
    "build_failed": "The file could not be made.",
    "source_missing": "A stored file is gone, was never there, or is not yours to read.",
    "source_changed": "A stored file is not what it was when it was stored.",
    "archive_too_large": "The files together exceed 5 TiB, the maximum size of an object.",
    "storage_unavailable": "The file store is away; tried again after 1, 5 and 30 s.",
    "type_not_allowed": "What is in the file is of a type that is not taken.",
    "storage_full": "The file would take more room than you have.",
    "blocked_address": "The link leads into a private network, or to a port that is not fetched.",
    "blocked_redirect": "The other side sends on to an address that is not fetched from.",
    "too_many_redirects": "The server redirects more than 20 times.",
    "remote_refused": "The other side does not give the file: not found, or not allowed.",
    "remote_not_trusted": "The certificate of the other side is not valid.",
    "remote_not_a_file": "The other side sends a web page in place of the file.",
    "remote_encoded": "The other side sends the file packed, though it was asked not to.",
    "remote_too_large": "The file is larger than is fetched.",
    "remote_unavailable": "The other side is away or breaks off; tried again after 1, 5 and 30 s.",
    "remote_too_slow": "The other side sends next to nothing; tried again after 1, 5 and 30 s.",
    "remote_changed": "The file changed while it was fetched; tried again after 1, 5 and 30 s.",
    "checksum_mismatch": "The file arrived, and its SHA-256 is not the expected one.",
    "infected": "A virus was found in the file.",
    "not_scanned": "The file is too large, or packed too deeply, to be scanned for viruses.",
    "scanner_unavailable": "The virus scanner is away; tried again three times, after 30 s each.",
    "dependency_failed": "A download that it was to wait for failed or was cancelled.",
    "timeout": "It took longer than its time limit, which grows with its size, and was stopped.",
    "stalled": "It made no progress for too long; tried again after 1, 5 and 30 s.",
    "worker_lost": "The machine that made it stopped three times.",
    "unexpected": "A bug, or something that nobody thought of; tried again after 1, 5 and 30 s.",
}
# Why a completed upload lacks previews: its `metadata.skippedCode`. The same promise.
PREVIEW_CODES: dict[str, str] = {
    "file_unreadable": "The file is broken, breaks off, or is not what it says it is.",
    "file_encrypted": "The file can be read only with a password.",
    "picture_too_large": "The picture has more pixels than are read.",
    "file_too_complex": "Reading it takes too much memory, time or room, or breaks its reader.",
    "file_too_large": "The file has more bytes than previews are made of.",
    "nothing_to_show": "The file has no picture, such as a video with sound only.",
    "no_reader": "The program that reads such files is not installed on the server.",
}
# Uploads of earlier versions failed with these; now they complete.
FORMER_JOB_CODES = ("file_unreadable", "file_encrypted", "picture_too_large", "file_too_complex")
JOB_CODES |= {
    code: f"{PREVIEW_CODES[code]} Of earlier versions alone: such uploads complete now."
    for code in FORMER_JOB_CODES
}


# The same file would fail again, and nobody is to try: neither pages nor the admin offer it.
NOT_RUN_AGAIN = {"infected"}


class JobError(Exception):
    """Base of the errors that this project raises on purpose."""


class StaleJob(JobError):
    """The job is no longer in the status or attempt that the caller last saw."""


class KeyReused(JobError):
    """The idempotency key belongs to a request that asked for something else."""


class OwnerBusy(JobError):
    """Another request of this owner holds the lock that submissions are recorded under."""


class Undelivered(JobError):
    """The message is one sentence for people; of an address on the web it names the host alone.

    The next try comes no sooner than after `after_seconds`, if the receiver asked for such a rest.
    """

    def __init__(self, sentence: str, *, for_good: bool = False, after_seconds: int = 0) -> None:
        super().__init__(sentence)
        self.for_good = for_good
        self.after_seconds = after_seconds


class LimitReached(JobError):
    """Nothing was recorded. `code` is public; `retry_after_seconds` is a guess."""

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
    comes no sooner than after `after_seconds`, if somebody asked for such a rest.
    """

    code = "build_failed"
    retryable = False

    def __init__(self, sentence: str, *, after_seconds: int = 0) -> None:
        super().__init__(sentence)
        self.after_seconds = after_seconds


class SourceMissing(BuildError):
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
    """The message may name the host of the link, and never its path, query or address."""

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
    """Previews cannot be made of an upload, or not all of them. The upload completes without.

    The message is for the owner of the file; what its reader had to say is in the cause. `code`
    is one of PREVIEW_CODES.
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
    """Raised inside a builder, between any two of its steps, to make it stop now.

    Not an Exception: botocore turns every Exception that passes through it into an error of
    its own and tries again, and a builder must not be able to swallow this by accident.
    `limit_seconds` is the limit that is over: of all, or of standing still.
    """

    def __init__(
        self, *, timed_out: bool = False, stalled: bool = False, limit_seconds: int = 0
    ) -> None:
        over = "it stands still" if stalled else "the time limit is over"
        super().__init__(over if timed_out or stalled else "the attempt was taken away")
        self.timed_out, self.stalled, self.limit_seconds = timed_out, stalled, limit_seconds
