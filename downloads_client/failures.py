"""The ways to fail, by what a script can do about each, and their exit codes."""

from __future__ import annotations


class Failure(Exception):
    """The base of all failures. Its text is one sentence for people, `code` is for programs.

    `meaning` explains the exit code in --help.
    """

    exit_code: int
    meaning: str
    code: str

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code or self.code


class JobFailed(Failure):
    exit_code, code = 1, "job_failed"
    meaning = "the download failed on the service"


class UsageError(Failure):
    exit_code, code = 2, "usage"
    meaning = "the command line is wrong"


class RequestRefused(Failure):
    exit_code, code = 3, "refused"
    meaning = "the service refused: wrong password, a limit, no such download"


class Unreachable(Failure):
    """Also raised if another server responds in place of the service or the file store."""

    exit_code, code = 4, "unreachable"
    meaning = "the service or the file store could not be reached; try again"


class WrongBytes(Failure):
    """The received file has another size or SHA-256."""

    exit_code, code = 5, "wrong_bytes"
    meaning = "the file is corrupt and was not kept"


class Gone(Failure):
    exit_code, code = 6, "gone"
    meaning = "the download was cancelled or has expired"


class NotWritten(Failure):
    exit_code, code = 7, "not_written"
    meaning = "the file could not be written: it exists, no space, no permission"


class NotRead(Failure):
    """Of a file to upload."""

    exit_code, code = 9, "not_read"
    meaning = "a file to upload could not be read, or changed"


class InternalError(Failure):
    exit_code, code = 8, "client_error"
    meaning = "this program could not start, or has a bug; the download may continue"


class Terminated(BaseException):
    """Raised by SIGTERM and SIGHUP. Like KeyboardInterrupt no Exception, so it is not caught."""

    exit_code = 143


# 128 + n is what a shell reports for a program that signal n ended.
INTERRUPTED = 130
EXIT_CODES = {
    0: "the file was downloaded and its SHA-256 verified",
    **{failure.exit_code: failure.meaning for failure in Failure.__subclasses__()},
    INTERRUPTED: "interrupted by Ctrl-C",
    Terminated.exit_code: "terminated by SIGTERM, or the terminal was closed",
}
