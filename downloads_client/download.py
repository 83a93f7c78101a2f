"""One download from asking to the file, in the order of what happens."""

from __future__ import annotations

import hashlib
import time
from functools import partial
from pathlib import Path

from downloads_client import formatting
from downloads_client.destination import Place
from downloads_client.errors import Gone, JobFailed, Refused
from downloads_client.partial_file import Part, told_of
from downloads_client.poll_interval import Looks
from downloads_client.progress import Display
from downloads_client.requests import New, Wish
from downloads_client.responses import Job, Result
from downloads_client.retry import Patience
from downloads_client.service import Service
from downloads_client.transfer import Transfer


class Errand:
    """`job` and `result` are what is known so far, for whoever tells the end, happy or not."""

    def __init__(
        self, service: Service, place: Place, display: Display, *, patience_seconds: float
    ) -> None:
        self.job: Job | None = None
        self.result: Result | None = None
        self._service, self._place, self._display = service, place, display
        self._patience_seconds = patience_seconds

    def run(self, wish: Wish) -> Path:
        """Raises a Failure; KeyboardInterrupt and Terminated leave job and part as they are."""
        self._place.prepare()
        if isinstance(wish, New) and self._place.file:
            self._place.keep(self._place.file)  # before anybody works for it
        job = self._made(self._begun(wish))
        return self._fetched(job)

    def cancel(self, job: Job) -> Job:
        """What became of it: it may have ended in the meantime."""
        try:
            self.job = self._service.cancel(job.id)
        except Refused:
            self.job = self._service.find(job.id)
        return self.job

    def _begun(self, wish: Wish) -> Job:
        if isinstance(wish, New):
            self.job = self._service.ask(wish)
            self._display.say(f"Asked for {wish.what}: download {self.job.id}")
        else:
            self.job = self._service.find(wish.job_id)
        return self.job

    def _made(self, job: Job) -> Job:
        """Polls until the job has ended. Raises JobFailed, or Gone."""
        was_active = job.is_active
        looks = Looks(watched=self._display.watched)
        while job.is_active:
            self._display.making(job)
            time.sleep(looks.seconds_until_next(job))
            self.job = job = self._service.look_again(job)
        if job.status == "failed":
            raise JobFailed(f"The download failed: {job.error}", job.error_code)
        if job.status != "completed":
            raise Gone(f"The download is {job.status}.", job.status)
        if was_active:
            _, made = formatting.PHASES.get(job.kind, formatting.OTHER_PHASES)
            took = formatting.duration(looks.seconds)
            self._display.finish(f"{made} in {took}: {job.name}")
        return job

    def _fetched(self, job: Job) -> Path:
        self.result = result = self._service.result(job.id)
        path = self._place.path(result.name)
        if not self._place.force and is_it(path, result):
            self._display.say(f"It is there already, with SHA-256 {result.sha256}")
            return path
        self._place.keep(path)
        with Part(self._place.part(path, job.id, result.sha256)) as part:
            self._place.have_room(result.size - part.size)
            self._fill(part, job, result)
            self._place.keep(path)  # somebody may have put one there meanwhile
            part.become(path)
        return path

    def _fill(self, part: Part, job: Job, result: Result) -> None:
        began = time.monotonic()
        if part.size:
            self._display.say(f"Going on after {formatting.size_of(part.size, result.size)}")
        patience = Patience(self._patience_seconds, self._display.pausing)
        ask = partial(self._service.result, job.id)
        transfer = Transfer(part, ask, patience, self._display.fetching)
        self.result = transfer.run(result)
        took = formatting.duration(time.monotonic() - began)
        fetched = formatting.size(transfer.received)
        self._display.finish(f"Fetched {fetched} in {took}, SHA-256 verified")


def is_it(path: Path, result: Result) -> bool:
    """Whether the file is there already, byte for byte."""
    with told_of(path):
        if not path.is_file() or path.stat().st_size != result.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == result.sha256
