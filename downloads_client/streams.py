"""stdin, stdout and stderr, which may be closed, full, or in an ASCII locale."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from downloads_client.failures import NotWritten
from downloads_client.partial_file import partial_file_not_written


def open_missing_streams() -> None:
    """Replace closed streams, which are None in Python, with /dev/null. A closed stdout stays."""
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def print_to_stderr(text: str, end: str = "\n") -> None:
    """Print the text. A closed stderr is ignored: the exit code remains."""
    with suppress(OSError, ValueError):
        sys.stderr.write(text + end)
        sys.stderr.flush()


def copy_to_stdout(source: BinaryIO) -> None:
    """Copy the bytes to stdout. Raises NotWritten."""
    if not sys.stdout:
        raise NotWritten("stdout is closed.")
    try:
        # Not sys.stdout: it would flush again, and complain, while the interpreter ends.
        with open(sys.stdout.fileno(), "wb", closefd=False) as out:
            shutil.copyfileobj(source, out)
    except OSError as error:
        raise partial_file_not_written("stdout", error) from error


def read_stdin_line() -> str:
    """Return a line from the terminal, or "" if it cannot be decoded.

    A signal always ends the wait. Without the wakeup descriptor, one that arrives just before the
    read would be handled only after the next line.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    before = signal.set_wakeup_fd(wake)
    try:
        select.select([sys.stdin, woken], [], [])
        return sys.stdin.readline()
    except UnicodeError:
        return ""
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(wake)


@contextmanager
def temporary_folder() -> Iterator[str]:
    """Yield a folder that is deleted afterwards. Raises NotWritten."""
    try:
        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    except OSError as error:
        raise partial_file_not_written("A temporary folder (TMPDIR)", error) from error
    with folder as path:
        yield path
