"""The process that reads a stranger's file: `python -m jobs.kinds.upload.previews.helper TASK`.

It knows no secret, and tells its parent in lines of JSON how it goes. It may be told to end at any
moment (SIGTERM), and leaves nothing but files in its folder.
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
from jobs.kinds.upload.previews import protocol, sandbox, supervisor
from jobs.kinds.upload.previews.outcome import Outcome, Work
from jobs.kinds.upload.previews.preview_types import MAKERS
from jobs.kinds.upload.previews.protocol import TOO_MUCH, Task

UNREADABLE = "The file is damaged, incomplete, or not of the type it claims to be."
NO_ROOM = {errno.EFBIG, errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE}
FORBIDDEN = {errno.EPERM, errno.EACCES, errno.EXDEV}  # what the sandbox answers


def main(make: Callable[[Work], Outcome] | None = None) -> None:
    """`make` in place of the one for this type of content."""
    task = Task.read(sys.argv[1])
    supervisor.fork_reader(parent=task.parent)
    sandbox.enter(task)
    out = _own_stdout()

    def tell(line: str) -> None:
        out.write(line + "\n")
        out.flush()

    def say(message: str) -> None:
        tell(protocol.said(message))

    make = make or MAKERS[task.content_type].load()
    tell(protocol.ready())
    work = Work(Path(task.source), task.content_type, Path(task.folder), task.limits, say)
    tell(_verdict(make, work))


def _own_stdout() -> TextIO:
    """The pipe to the parent; whatever libraries and ffmpeg print goes to stderr."""
    sys.stdout.flush()
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return out


def _verdict(make: Callable[[Work], Outcome], work: Work) -> str:
    try:
        return protocol.made(make(work))
    except ProcessingError as refusal:
        traceback.print_exc()
        return protocol.refused(refusal)
    except MemoryError:
        return protocol.refused(FileTooComplex(TOO_MUCH))
    except Exception as error:
        # Parsers raise anything over a file that is made to break them.
        traceback.print_exc()
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return protocol.refused(FileTooComplex(TOO_MUCH))
        if isinstance(error, OSError) and error.errno in FORBIDDEN:
            raise  # no file is read that way
        return protocol.refused(FileUnreadable(UNREADABLE))


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    os._exit(0)  # nothing is left to do: Python would take its time to tidy up
