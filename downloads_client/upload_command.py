"""`downloads upload FILE…`: send files, and wait until they are processed."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from downloads_client.failures import (
    INTERRUPTED,
    Failure,
    Gone,
    JobFailed,
    RequestRefused,
    Terminated,
    Unreachable,
    UsageError,
)
from downloads_client.kinds import UPLOAD
from downloads_client.new_download import COMMON_OPTIONS, check_common_options
from downloads_client.streams import print_to_stderr
from downloads_client.terminal_command import TerminalCommand
from downloads_client.uploader import Upload, Uploader, check_files

MAX_THREADS = 16
OF_ONE_FILE = (JobFailed, RequestRefused, Gone)  # the next file may succeed


class UploadCommand(TerminalCommand):
    name = UPLOAD.name
    help = (
        "Upload files, in chunks and several at once, and wait until they are processed. Prints"
        " the number of each file. The same command continues an interrupted upload."
    )

    resumable = frozenset({Unreachable.exit_code, INTERRUPTED, Terminated.exit_code})
    _uploads: tuple[Upload, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("files", nargs="+", metavar="FILE", type=Path)
        add("--name", default="", help="name of the file on the service; for one file only")
        add(
            "--threads",
            type=int,
            default=4,
            metavar="N",
            help="chunks to send at once, 1 to 16 (default: 4)",
        )
        add("--force", action="store_true", help="upload again what was uploaded before")
        for option in COMMON_OPTIONS.options:
            option.add_to(add)

    def work(self) -> None:
        options = self.options
        self._uploads = tuple(Upload(path) for path in options["files"])
        self._check(options)
        uploader = Uploader(
            self.services(),
            self.display,
            threads=options["threads"],
            is_forced=options["force"],
        )
        members = COMMON_OPTIONS.members(options)
        for upload in self._uploads:
            with _recording(upload):
                uploader.send(upload, name=options["name"], members=members)
        for upload in self._uploads:
            if upload.job and not upload.failure:
                with _recording(upload):
                    uploader.finish(upload)
        failures = [upload.failure for upload in self._uploads if upload.failure]
        for failure in failures[1:]:
            print_to_stderr(str(failure))
        if failures:
            raise failures[0]

    def _check(self, options: dict[str, Any]) -> None:
        """Raise UsageError."""
        if not 1 <= options["threads"] <= MAX_THREADS:
            raise UsageError(f"--threads needs a number from 1 to {MAX_THREADS}.")
        if options["name"] and len(self._uploads) > 1:
            raise UsageError("--name works for one file.")
        check_common_options(options)
        check_files(options["files"])

    def lines(self) -> list[str]:
        done = [upload.job for upload in self._uploads if upload.job and not upload.failure]
        return [str(job.file_id) for job in done if job.file_id is not None]

    def as_json(self) -> dict[str, Any]:
        return {"files": [_as_json(upload) for upload in self._uploads]}


@contextmanager
def _recording(upload: Upload) -> Iterator[None]:
    """Keep a Failure, and go on with the next file if it concerns this one only."""
    try:
        yield
    except Failure as failure:
        upload.failure = failure
        if not isinstance(failure, OF_ONE_FILE):
            raise


def _as_json(upload: Upload) -> dict[str, Any]:
    job, failure = upload.job, upload.failure
    return {
        "path": str(upload.path),
        "jobId": str(job.id) if job else None,
        "status": job.status if job else None,
        "fileId": job.file_id if job else None,
        "fileName": job.name if job else None,
        "size": upload.size or None,
        "sha256": upload.sha256 or None,
        "error": str(failure) if failure else None,
        "errorCode": failure.code if failure else None,
    }
