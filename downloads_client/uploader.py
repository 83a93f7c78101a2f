"""Uploads of files, step by step: hash, begin, send the missing chunks, follow the job."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from downloads_client import formatting
from downloads_client.chunk_sender import ChunkSender
from downloads_client.failures import Failure, Gone, JobFailed, NotRead, UsageError
from downloads_client.formatting import format_printable
from downloads_client.job_follower import follow_job
from downloads_client.poll_interval import PollInterval
from downloads_client.progress import ProgressDisplay
from downloads_client.service import Service
from downloads_client.service_responses import JobResponse

BLOCK_BYTES = 1024 * 1024
NewService = Callable[[Callable[[str, float], None]], Service]


@dataclass
class Upload:
    """One file: what is known about it so far, also after a failure."""

    path: Path
    job: JobResponse | None = None
    sha256: str = ""
    size: int = 0
    was_sent: bool = False  # by this command
    failure: Failure | None = None

    @property
    def shown_path(self) -> str:
        return format_printable(str(self.path))

    @property
    def name(self) -> str:
        """The name as the service gets it: UTF-8, whatever the locale."""
        return os.fsencode(self.path.name).decode("utf-8", "replace")


class Uploader:
    """Uploads files, one after the other. `new_service` is as in ChunkSender.

    An upload is identified by its name, size, SHA-256 and options, so that the same command
    continues it, also after a kill: the service knows which chunks it has.
    """

    def __init__(
        self, new_service: NewService, display: ProgressDisplay, *, threads: int, is_forced: bool
    ) -> None:
        self._new_service, self._display = new_service, display
        self._service = new_service(display.show_retry)
        self._threads, self._is_forced = threads, is_forced

    def send(self, upload: Upload, *, name: str, members: dict[str, Any]) -> None:
        """Send the file. Afterwards `upload.job` is set. Raises a Failure."""
        try:
            with upload.path.open("rb") as file:
                self._send(upload, file, {"fileName": name or upload.name} | members)
        except OSError as error:
            reason = error.strerror or error
            raise NotRead(f"{upload.shown_path} could not be read: {reason}.") from error

    def finish(self, upload: Upload) -> None:
        """Wait until the service has processed the file. Raises JobFailed, Gone."""
        assert upload.job  # it was sent
        interval = PollInterval(is_interactive=self._display.is_interactive)
        was_active = upload.job.is_active
        for job in follow_job(self._service, upload.job, self._display, interval):
            upload.job = job
        if job.status == "failed":
            raise JobFailed(f"{upload.shown_path}: the upload failed: {job.error}", job.error_code)
        if job.status != "completed":
            raise Gone(f"{upload.shown_path}: the upload is {job.status}.", job.status)
        verb = "Processed" if upload.was_sent or was_active else "Already uploaded"
        self._display.finish(f"{verb}: {job.name}, file {job.file_id}")

    def _send(self, upload: Upload, file: BinaryIO, members: dict[str, Any]) -> None:
        upload.size = os.fstat(file.fileno()).st_size
        upload.sha256 = self._digest(file, upload.size)
        body = members | {"totalSize": upload.size, "sha256": upload.sha256}
        begun = self._service.begin_upload(body, uuid4().hex if self._is_forced else key_of(body))
        if isinstance(begun, JobResponse) and not (begun.is_active or begun.status == "completed"):
            begun = self._service.begin_upload(body, uuid4().hex)  # the earlier one is of no use
        if isinstance(begun, JobResponse):
            upload.job = begun
            return
        shown, size = format_printable(upload.name), formatting.format_size(upload.size)
        left = sum(map(begun.size_of, begun.missing))
        if left < upload.size:
            done = formatting.format_amount(upload.size - left, upload.size)
            self._display.print_line(f"Resuming {shown} after {done}: upload {begun.id}")
        else:
            self._display.print_line(f"Uploading {shown}, {size}: upload {begun.id}")
        began = time.monotonic()
        sender = ChunkSender(file, upload.path, begun, self._display, self._new_service)
        sender.run(self._threads)
        upload.was_sent = True
        took = formatting.format_duration(time.monotonic() - began)
        self._display.finish(f"Sent {formatting.format_size(left)} in {took}")
        upload.job = self._service.get(begun.id)

    def _digest(self, file: BinaryIO, size: int) -> str:
        """Return the SHA-256. The service compares it with what arrives."""
        digest, done = hashlib.sha256(), 0
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            done += len(block)
            self._display.show_transfer(done, max(size, done), "Reading")
        return digest.hexdigest()


def key_of(body: dict[str, Any]) -> str:
    """Return the idempotency key of the request."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return f"upload-{digest}"


def check_files(paths: list[Path]) -> None:
    """Raise UsageError unless all are files that have content."""
    for path in paths:
        shown = format_printable(str(path))
        if path.is_dir():
            raise UsageError(f"{shown} is a folder. Name the files in it.")
        if not path.is_file():
            raise UsageError(f"There is no file {shown}.")
        if not path.stat().st_size:
            raise UsageError(f"{shown} is empty.")
