"""The public codes of failed jobs and of missing previews, with what they mean. Never renamed.

Most are those of the error classes. The order is that of the tables in the API's documentation.
"""

from __future__ import annotations

from jobs.errors.build_errors import (
    ArchiveTooLarge,
    BuildError,
    EmptyResult,
    Infected,
    NoRoom,
    NoSources,
    NotScannable,
    ScannerUnavailable,
    SourceChanged,
    SourceMissing,
    Stalled,
    StorageUnavailable,
    TypeNotAllowed,
    Unexpected,
)
from jobs.errors.preview_errors import (
    FileEncrypted,
    FileTooComplex,
    FileTooLarge,
    FileUnreadable,
    NoReader,
    NothingToShow,
    PictureTooLarge,
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
    RemoteTooLarge,
    RemoteTooSlow,
    RemoteUnavailable,
    TooManyRedirects,
)

# Codes without an error class: no builder raises them.
DEPENDENCY_FAILED = "dependency_failed"
TIMEOUT = "timeout"
WORKER_LOST = "worker_lost"


def _meanings(*errors: type[BuildError]) -> dict[str, str]:
    """Return what the codes of the errors mean."""
    return {error.code: error.meaning for error in errors}


# Why a job failed, or waits for its next attempt: its `errorCode`.
JOB_CODES: dict[str, str] = {
    **_meanings(
        BuildError,
        NoSources,
        SourceMissing,
        SourceChanged,
        ArchiveTooLarge,
        StorageUnavailable,
        TypeNotAllowed,
        NoRoom,
        BlockedAddress,
        BlockedRedirect,
        TooManyRedirects,
        RemoteError,
        RemoteNotTrusted,
        RemoteNotAFile,
        RemoteEncoded,
        RemoteTooLarge,
        RemoteUnavailable,
        RemoteTooSlow,
        RemoteChanged,
        ChecksumMismatch,
        Infected,
        NotScannable,
        ScannerUnavailable,
        EmptyResult,
    ),
    DEPENDENCY_FAILED: "A download that it depends on failed or was cancelled.",
    TIMEOUT: "It took longer than its time limit, which grows with its size, and was stopped.",
    **_meanings(Stalled),
    WORKER_LOST: "Its worker stopped responding three times.",
    **_meanings(Unexpected),
}
# Why a completed upload has no previews: its `metadata.skippedCode`.
PREVIEW_CODES = _meanings(
    FileUnreadable,
    FileEncrypted,
    PictureTooLarge,
    FileTooComplex,
    FileTooLarge,
    NothingToShow,
    NoReader,
)
# Uploads of earlier versions failed with these codes; now they complete.
FORMER_JOB_CODES = ("file_unreadable", "file_encrypted", "picture_too_large", "file_too_complex")
JOB_CODES |= {
    code: f"{PREVIEW_CODES[code]} Only in jobs of earlier versions: such uploads now complete."
    for code in FORMER_JOB_CODES
}
# Jobs with these codes cannot be run again from pages or the admin.
NOT_RUN_AGAIN = {Infected.code}
