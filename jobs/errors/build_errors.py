"""Why an attempt failed: what is common to all kinds."""

from __future__ import annotations

from typing import Any

from jobs.errors.base import JobError


class BuildError(JobError):
    """One attempt at building the artifact failed.

    `code` is stored on the job and shown to clients, so it is never renamed; `meaning` is what
    the API's documentation says of it. The message is one sentence that an owner can act on: no
    key, no address, no traceback. The next attempt starts no sooner than after `after_seconds`.
    `facts` are kept in the metadata of a failed job.
    """

    code = "build_failed"
    meaning = "The file could not be created."
    retryable = False

    def __init__(
        self, sentence: str, *, after_seconds: int = 0, facts: dict[str, Any] | None = None
    ) -> None:
        super().__init__(sentence)
        self.after_seconds = after_seconds
        self.facts = facts or {}


class SourceMissing(BuildError):
    """`facts["missingFileIds"]` are the numbers of the missing files, if they are known.

    `problem` completes a sentence that begins with the name of the file.
    """

    code = "source_missing"
    meaning = "A stored file is missing, or you may not read it."
    problem = "could not be found."


class SourceForbidden(SourceMissing):
    problem = "could not be read: the file store denies access to it."


class BucketMissing(SourceMissing):
    problem = "could not be found: its bucket does not exist."


class NoSources(BuildError):
    code = "no_sources"
    meaning = "There are no files for the request."


class SourceChanged(BuildError):
    code = "source_changed"
    meaning = "A stored file has changed since it was stored."


class ArchiveTooLarge(BuildError):
    code = "archive_too_large"
    meaning = (
        "The result would exceed 5 TiB, the maximum size of an object, or an archive would have"
        " more than 100,000 files."
    )


class StorageUnavailable(BuildError):
    code = "storage_unavailable"
    meaning = "The file store is unavailable; retried after 1, 5 and 30 s."
    retryable = True


class TypeNotAllowed(BuildError):
    code = "type_not_allowed"
    meaning = "The content of the file is of a type that is not allowed."


class NoRoom(BuildError):
    code = "storage_full"
    meaning = "The file needs more storage space than you have left."


class Infected(BuildError):
    code = "infected"
    meaning = "A virus was found in the file."


class NotScannable(BuildError):
    code = "not_scanned"
    meaning = "The file is too large or too deeply nested to be scanned for viruses."


class ScannerUnavailable(BuildError):
    code = "scanner_unavailable"
    meaning = "The virus scanner is unavailable; retried three times, every 30 s."
    retryable = True


class EmptyResult(BuildError):
    """A builder that should make a file never touched its output. An empty file is a file."""

    code = "empty_result"
    meaning = "It ended without making a file."


class Stalled(BuildError):
    code = "stalled"
    meaning = "It made no progress for too long; retried after 1, 5 and 30 s."
    retryable = True


class Unexpected(BuildError):
    code = "unexpected"
    meaning = "An unexpected error; retried after 1, 5 and 30 s."
    retryable = True
