"""The program that reads untrusted files: `python -m jobs.kinds.upload.previews.helper TASK`.

It has no secrets and reports to its parent in lines of JSON. SIGTERM ends it at any moment; it
leaves nothing but files in its folder.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from jobs.errors import FileTooComplex, FileUnreadable, ProcessingError
from jobs.kinds.upload.previews import helper_protocol, sandbox, supervisor
from jobs.kinds.upload.previews.helper_protocol import TOO_MUCH, HelperTask
from jobs.kinds.upload.previews.preview_result import PreviewResult, Work
from jobs.kinds.upload.previews.preview_types import PREVIEW_TYPES

UNREADABLE = "The file is damaged, incomplete, or not of the type it claims to be."
NO_ROOM = {errno.EFBIG, errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE}
FORBIDDEN = {errno.EPERM, errno.EACCES, errno.EXDEV}  # from the sandbox


def helper_main(make: Callable[[Work], PreviewResult] | None = None) -> None:
    """Run the task of the command line. `make` replaces the function of its content type."""
    task = HelperTask.from_json(sys.argv[1])
    supervisor.fork_supervised_reader(parent=task.parent)
    sandbox.enter_sandbox(task)
    out = _redirect_stdout()

    def send(line: str) -> None:
        out.write(line + "\n")
        out.flush()

    def say(message: str) -> None:
        send(helper_protocol.helper_progress_message(message))

    make = make or PREVIEW_TYPES[task.content_type].load()
    send(helper_protocol.helper_ready_message())
    work = Work(Path(task.source), task.content_type, Path(task.folder), task.limits, say)
    send(_result_line(make, work))


def _redirect_stdout() -> TextIO:
    """Return the pipe to the parent. What libraries and ffmpeg print goes to stderr instead."""
    sys.stdout.flush()
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return out


def _result_line(make: Callable[[Work], PreviewResult], work: Work) -> str:
    try:
        return helper_protocol.helper_result_message(make(work))
    except ProcessingError as error:
        traceback.print_exc()
        return helper_protocol.helper_error_message(error)
    except MemoryError:
        return helper_protocol.helper_error_message(FileTooComplex(TOO_MUCH))
    except Exception as error:
        # Parsers may raise anything for a malicious file.
        traceback.print_exc()
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return helper_protocol.helper_error_message(FileTooComplex(TOO_MUCH))
        if isinstance(error, OSError) and error.errno in FORBIDDEN:
            raise  # a bug or an attack: no reader does that
        return helper_protocol.helper_error_message(FileUnreadable(UNREADABLE))


if __name__ == "__main__":
    helper_main()
    sys.stderr.flush()
    os._exit(0)  # skip the slow cleanup of the interpreter
