"""One download, step by step: create the job, poll it, fetch the file."""

from __future__ import annotations

import hashlib
import time
from functools import partial
from pathlib import Path

from downloads_client import formatting
from downloads_client.destination import Destination
from downloads_client.download_request import DownloadRequest, ExistingDownload
from downloads_client.failures import Gone, JobFailed, RequestRefused
from downloads_client.job_follower import follow_job
from downloads_client.kinds import kind_named
from downloads_client.kinds.published_kind import KindRequest
from downloads_client.new_download import NewDownload
from downloads_client.partial_file import PartialFile, partial_file_errors
from downloads_client.poll_interval import PollInterval
from downloads_client.progress import ProgressDisplay
from downloads_client.retry import Retry
from downloads_client.service import Service
from downloads_client.service_responses import DownloadResult, JobResponse
from downloads_client.transfer import Transfer


class Downloader:
    """Runs one download. `job` and `result` hold the latest responses, also after a failure."""

    def __init__(
        self,
        service: Service,
        destination: Destination,
        display: ProgressDisplay,
        *,
        retry_for_seconds: float,
    ) -> None:
        self.job: JobResponse | None = None
        self.result: DownloadResult | None = None
        self._service, self._destination, self._display = service, destination, display
        self._retry_for_seconds = retry_for_seconds

    def run(self, request: DownloadRequest) -> Path | None:
        """Return the path of the verified file; None if the job makes none. Raises a Failure.

        KeyboardInterrupt and Terminated leave the job and the partial file in place.
        """
        self._destination.prepare()
        if not isinstance(request, ExistingDownload) and self._destination.file:
            self._destination.check_overwrite(self._destination.file)  # before a job is created
        job = self._wait(self._start(request))
        return self._fetch(job) if job.has_file else None

    def cancel(self, job: JobResponse) -> JobResponse:
        """Cancel the job and return it. It may have ended in the meantime."""
        try:
            self.job = self._service.cancel(job.id)
        except RequestRefused:
            self.job = self._service.get(job.id)
        return self.job

    def _start(self, request: DownloadRequest) -> JobResponse:
        if isinstance(request, KindRequest):
            request = request.resolve(self._service.kinds())
        if isinstance(request, NewDownload):
            self.job = self._service.create(request)
            self._display.print_line(f"Requested {request.summary}: download {self.job.id}")
        else:
            self.job = self._service.get(request.job_id)
        return self.job

    def _wait(self, job: JobResponse) -> JobResponse:
        """Poll until the job is completed and return it. Raises JobFailed, or Gone."""
        was_active = job.is_active
        interval = PollInterval(is_interactive=self._display.is_interactive)
        for state in follow_job(self._service, job, self._display, interval):
            self.job = job = state
        if job.status == "failed":
            raise JobFailed(f"The download failed: {job.error}", job.error_code)
        if job.status != "completed":
            raise Gone(f"The download is {job.status}.", job.status)
        if was_active:
            verb = kind_named(job.kind).completed if job.has_file else "Done"
            seconds = job.took_seconds  # the time that we waited has whole poll intervals
            took = formatting.format_duration(
                interval.elapsed_seconds if seconds is None else seconds
            )
            self._display.finish(f"{verb} in {took}: {job.name}")
        return job

    def _fetch(self, job: JobResponse) -> Path:
        """Fetch the file, unless an identical one is there. Returns its path."""
        self.result = result = self._service.result(job.id)
        path = self._destination.path(result.name)
        if not self._destination.force and is_downloaded_file(path, result):
            self._display.print_line(f"Already downloaded, with SHA-256 {result.sha256}")
            return path
        self._destination.check_overwrite(path)
        with PartialFile(self._destination.partial_path(path, job.id, result.sha256)) as file:
            self._destination.check_free_space(result.size - file.size)
            self._transfer(file, job, result)
            self._destination.check_overwrite(path)  # it may have been created meanwhile
            file.rename_to(path)
        return path

    def _transfer(self, file: PartialFile, job: JobResponse, result: DownloadResult) -> None:
        began = time.monotonic()
        if file.size:
            resumed_at = formatting.format_amount(file.size, result.size)
            self._display.print_line(f"Resuming after {resumed_at}")
        retry = Retry(self._retry_for_seconds, self._display.show_retry)
        refresh = partial(self._service.result, job.id)
        transfer = Transfer(file, refresh, retry, self._display.show_transfer)
        self.result = transfer.run(result)
        took = formatting.format_duration(time.monotonic() - began)
        fetched = formatting.format_size(transfer.received_bytes)
        self._display.finish(f"Fetched {fetched} in {took}, SHA-256 verified")


def is_downloaded_file(path: Path, result: DownloadResult) -> bool:
    """Return True if `path` is a file with the size and SHA-256 of the result."""
    with partial_file_errors(path):
        if not path.is_file() or path.stat().st_size != result.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == result.sha256
