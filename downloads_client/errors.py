"""Every way to end without the file, by what a script may do about it, and its exit code.

Failure
|-- JobFailed     1   the service tried, and could not make the file
|-- Misused       2   the command line asks for nothing that can be done
|-- Refused       3   the service will not: password, limits, no such download
|-- Unreachable   4   the service or the store is away, or something else answers in its place
|-- WrongBytes    5   what arrived is not what was made
|-- Gone          6   the download was cancelled, or its file is no longer kept
|-- NotWritten    7   this machine does not take the file: exists, no room, no permission
`-- Broken        8   this program or its settings: nothing is known of the job
Terminated      143   SIGTERM or SIGHUP came; Ctrl-C is Python's own KeyboardInterrupt
"""

from __future__ import annotations

INTERRUPTED = 130
# 128 + n is what a shell reports for a program that signal n ended.
EXIT_CODES = {
    0: "the file is there, and its SHA-256 is the one that was promised",
    1: "the job failed; the service says why",
    2: "the command line is wrong",
    3: "the service refuses: wrong password, a limit, no such download",
    4: "the service or the file store cannot be reached; worth trying again",
    5: "what arrived is not what was made; it was not kept",
    6: "cancelled or expired meanwhile",
    7: "the file cannot be written here: it exists, no room, no permission",
    8: "this program cannot start, or has a bug; the job may go on",
    INTERRUPTED: "interrupted by Ctrl-C",
    143: "ended by SIGTERM, or its terminal was closed",
}


class Failure(Exception):
    """One sentence for people; `code` is the service's own, or ours, for programs."""

    exit_code = 1
    code = "failed"

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code or self.code


class JobFailed(Failure):
    exit_code = 1
    code = "job_failed"


class Misused(Failure):
    exit_code = 2
    code = "usage"


class Refused(Failure):
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


class Broken(Failure):
    exit_code = 8
    code = "client_error"


class Terminated(BaseException):
    """By SIGTERM or SIGHUP. No Exception, like KeyboardInterrupt: nobody goes on after it."""

    exit_code = 143
