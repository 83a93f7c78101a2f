"""The errors that this project raises, as a tree. Each says what its public code means.

JobError
|-- StaleJob                   the job has changed meanwhile; stop working on it
|-- NothingReady               no job of a queue may start now
|-- KeyReused                  the idempotency key was used with another request
|-- OwnerBusy                  the owner's earlier request is still being recorded; try again
|-- Undelivered                a mail or webhook was not delivered; `for_good`: do not retry
|-- LimitReached               a limit is exceeded: a public `code`, and when to retry
|   |-- TooManyActive          the owner has too many active downloads
|   |-- TooManyUploads         the owner has too many unfinished uploads
|   |-- TooManySchedules       the owner has too many schedules
|   |-- TooManyKeys            the owner has too many API keys
|   |-- TooManyLinks           the download has too many share links
|   |-- StorageFull            the owner's storage quota is used up
|   |-- StoreFull              the whole file store is nearly full
|   `-- QueueFull              the queue is full
`-- BuildError                 one attempt failed: a public `code`, and `retryable`
    |-- SourceMissing          a stored file does not exist
    |   |-- SourceForbidden        the store denies access to an object in another bucket
    |   `-- BucketMissing          another bucket does not exist
    |-- NoSources              there is nothing to put into the artifact
    |-- SourceChanged          a stored file is not what was recorded
    |-- ArchiveTooLarge        the archive would have too many files, or too many bytes
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
    |-- EmptyResult            the builder made no file
    `-- Unexpected             a bug (retryable)
Interrupted                    the attempt lost its job, exceeded its time limit, or stalled
"""

from jobs.errors.base import (
    Interrupted,
    JobError,
    KeyReused,
    NothingReady,
    OwnerBusy,
    StaleJob,
    Undelivered,
)
from jobs.errors.build_errors import (
    ArchiveTooLarge,
    BucketMissing,
    BuildError,
    EmptyResult,
    Infected,
    NoRoom,
    NoSources,
    NotScannable,
    ScannerUnavailable,
    SourceChanged,
    SourceForbidden,
    SourceMissing,
    Stalled,
    StorageUnavailable,
    TypeNotAllowed,
    Unexpected,
)
from jobs.errors.codes import (
    DEPENDENCY_FAILED,
    FORMER_JOB_CODES,
    JOB_CODES,
    NOT_RUN_AGAIN,
    PREVIEW_CODES,
    TIMEOUT,
    WORKER_LOST,
)
from jobs.errors.limit_errors import (
    LimitReached,
    QueueFull,
    StorageFull,
    StoreFull,
    TooManyActive,
    TooManyKeys,
    TooManyLinks,
    TooManySchedules,
    TooManyUploads,
)
from jobs.errors.preview_errors import (
    FileEncrypted,
    FileTooComplex,
    FileTooLarge,
    FileUnreadable,
    NoReader,
    NothingToShow,
    PictureTooLarge,
    ProcessingError,
)
from jobs.errors.remote_errors import (
    BlockedAddress,
    BlockedRedirect,
    ChecksumMismatch,
    RemoteChanged,
    RemoteEncoded,
    RemoteError,
    RemoteNotAFile,
    RemoteNotTrusted,
    RemoteRefused,
    RemoteTooLarge,
    RemoteTooSlow,
    RemoteUnavailable,
    TooManyRedirects,
)

__all__ = [
    "DEPENDENCY_FAILED",
    "FORMER_JOB_CODES",
    "JOB_CODES",
    "NOT_RUN_AGAIN",
    "PREVIEW_CODES",
    "TIMEOUT",
    "WORKER_LOST",
    "ArchiveTooLarge",
    "BlockedAddress",
    "BlockedRedirect",
    "BucketMissing",
    "BuildError",
    "ChecksumMismatch",
    "EmptyResult",
    "FileEncrypted",
    "FileTooComplex",
    "FileTooLarge",
    "FileUnreadable",
    "Infected",
    "Interrupted",
    "JobError",
    "KeyReused",
    "LimitReached",
    "NoReader",
    "NoRoom",
    "NoSources",
    "NotScannable",
    "NothingReady",
    "NothingToShow",
    "OwnerBusy",
    "PictureTooLarge",
    "ProcessingError",
    "QueueFull",
    "RemoteChanged",
    "RemoteEncoded",
    "RemoteError",
    "RemoteNotAFile",
    "RemoteNotTrusted",
    "RemoteRefused",
    "RemoteTooLarge",
    "RemoteTooSlow",
    "RemoteUnavailable",
    "ScannerUnavailable",
    "SourceChanged",
    "SourceForbidden",
    "SourceMissing",
    "StaleJob",
    "Stalled",
    "StorageFull",
    "StorageUnavailable",
    "StoreFull",
    "TooManyActive",
    "TooManyKeys",
    "TooManyLinks",
    "TooManyRedirects",
    "TooManySchedules",
    "TooManyUploads",
    "TypeNotAllowed",
    "Undelivered",
    "Unexpected",
]
