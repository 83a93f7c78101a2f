"""The ways to fail, by what a script can do about each, and their exit codes.

Failure
|-- JobFailed       1   the service could not create the file
|-- UsageError      2   the command line is invalid
|-- RequestRefused  3   the service refuses: password, limits, no such download
|-- Unreachable     4   the service or the file store is away, or another server responds
|-- WrongBytes      5   the received file has another size or SHA-256
|-- Gone            6   the download was cancelled, or its file has been deleted
|-- NotWritten      7   the file cannot be saved here: it exists, no space, no permission
`-- InternalError   8   a bug in this program, or invalid settings
Terminated        143   SIGTERM or SIGHUP; Ctrl-C is Python's own KeyboardInterrupt
"""

from __future__ import annotations

INTERRUPTED = 130
# 128 + n is what a shell reports for a program that signal n ended.
EXIT_CODES = {
    0: "the file was downloaded and its SHA-256 verified",
    1: "the download failed on the service",
    2: "the command line is wrong",
    3: "the service refused: wrong password, a limit, no such download",
    4: "the service or the file store could not be reached; try again",
    5: "the file is corrupt and was not kept",
    6: "the download was cancelled or has expired",
    7: "the file could not be written: it exists, no space, no permission",
    8: "this program could not start, or has a bug; the download may continue",
    INTERRUPTED: "interrupted by Ctrl-C",
    143: "terminated by SIGTERM, or the terminal was closed",
}


class Failure(Exception):
    """Its text is one sentence for people. `code` is for programs."""

    exit_code = 1
    code = "failed"

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code or self.code


class JobFailed(Failure):
    exit_code = 1
    code = "job_failed"


class UsageError(Failure):
    exit_code = 2
    code = "usage"


class RequestRefused(Failure):
    exit_code = 3
    code = "refused"


class Unreachable(Failure):
    exit_code = 4
    code = "unreachable"


class WrongBytes(Failure):
    exit_code = 5
    code = "wrong_bytes"


class Gone(Failure):
    exit_code = 6
    code = "gone"


class NotWritten(Failure):
    exit_code = 7
    code = "not_written"


class InternalError(Failure):
    exit_code = 8
    code = "client_error"


class Terminated(BaseException):
    """Raised by SIGTERM and SIGHUP. Like KeyboardInterrupt no Exception, so it is not caught."""

    exit_code = 143
