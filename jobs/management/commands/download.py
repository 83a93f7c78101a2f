"""`manage.py download 70000 70001`: a client of the API, as a program would write it.

Asks for a bundle, polls it with a progress bar, follows the redirect to the file store and compares
every member's SHA-256 with what the service says of the source. Beside `make run` it needs nothing
but the ids: it reads where to go from `.stack/run.json`.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import shutil
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from zipfile import ZipFile

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

RUN = settings.STACK_FOLDER / "run.json"
BAR_WIDTH = 30
PATIENCE_SECONDS = 30
LOOK_SECONDS = 0.25  # a program waits for Retry-After; somebody is looking at this bar


class Command(BaseCommand):
    help = "Asks the running service for a bundle, waits for it, fetches it and checks every byte."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file_ids", nargs="+", type=int)
        parser.add_argument("--url", help="of the service; that of `make run` by default")
        parser.add_argument("--user")
        parser.add_argument("--to", type=Path, default=Path("."), help="folder for the result")

    def handle(self, *args: Any, **options: Any) -> None:
        run = json.loads(RUN.read_text()) if RUN.exists() else {}
        url, user = options["url"] or run.get("url"), options["user"] or run.get("user")
        if not url or not user:
            raise CommandError("Give --url and --user, or start the service with `make run`.")
        password = run.get("password") if user == run.get("user") else None
        try:
            service = Service(url, user, password or getpass.getpass(f"Password of {user}: "))
            self._download(service, options["file_ids"], options["to"])
        except requests.RequestException as error:
            raise CommandError(f"{url} does not answer as it should: {error}") from error

    def _download(self, service: Service, file_ids: list[int], folder: Path) -> None:
        began = time.monotonic()
        job = service.call("POST", "v1/download/initiate", {"file_ids": file_ids})
        self.stdout.write(f"POST /v1/download/initiate -> 202 {job['jobId']}")
        bar = Bar(self.stdout)
        while job["status"] in ("queued", "processing"):
            bar.show(job)
            time.sleep(min(service.poll_seconds, LOOK_SECONDS))
            job = service.call("GET", job["statusUrl"])
        bar.show(job)
        bar.end()
        if job["status"] != "completed":
            raise CommandError(f"{job['status']}: {job.get('error', job['message'])}")
        path = service.fetch(job["jobId"], folder / job["fileName"])
        seconds = time.monotonic() - began
        self.stdout.write(f"GET /v1/download/{job['jobId']} -> 302 -> {job['size']:,} bytes")
        self._compare(service, path, job, file_ids)
        self.stdout.write(f"verified: {path} ({job['size'] / 1e6:.1f} MB in {seconds:.1f} s)")

    def _compare(self, service: Service, path: Path, job: Any, file_ids: list[int]) -> None:
        wrong = 0
        with path.open("rb") as whole:
            if sha256(whole) != job["sha256"]:
                raise CommandError(f"{path} is not the file that the service made.")
        with ZipFile(path) as archive:
            for file_id, member in zip(file_ids, archive.infolist(), strict=True):
                source = service.call("POST", "v1/download/check", {"file_id": file_id})
                with archive.open(member) as content:
                    same = sha256(content) == source["sha256"]
                word = "same SHA-256" if same else "DIFFERENT"
                self.stdout.write(
                    f"  {file_id}  {member.file_size:>12,}  {word}  {member.filename}"
                )
                wrong += not same
        if wrong:
            raise CommandError(f"{wrong} members differ from their sources.")


class Service:
    """The HTTP API, signed in. Tries again for a while when the service is not there."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = url.rstrip("/") + "/"
        self._login = {"username": user, "password": password}
        self._session = requests.Session()
        self.poll_seconds = 1.0

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON. Signs in when asked to; raises requests.HTTPError on a problem."""
        response = self._send(method, path, body)
        if response.status_code == requests.codes.unauthorized:
            token = self._send("POST", "v1/auth/token", self._login)
            token.raise_for_status()
            self._session.headers["Authorization"] = f"Bearer {token.json()['access']}"
            response = self._send(method, path, body)
        if not response.ok:
            told = (
                response.json().get("detail", "")
                if "json" in response.headers["Content-Type"]
                else ""
            )
            raise requests.HTTPError(f"{response.status_code} {told}", response=response)
        self.poll_seconds = float(response.headers.get("Retry-After", 1))
        return response.json()

    def fetch(self, job_id: str, path: Path) -> Path:
        """Follow the redirect to the file store; the bytes go to `path`."""
        redirect = self._session.get(
            urljoin(self._url, f"v1/download/{job_id}"), allow_redirects=False, timeout=10
        )
        redirect.raise_for_status()
        path.parent.mkdir(parents=True, exist_ok=True)
        # A session of its own: the token is for the service, not for the file store.
        with requests.get(redirect.headers["Location"], stream=True, timeout=30) as response:
            response.raise_for_status()
            with path.open("wb") as file:
                shutil.copyfileobj(response.raw, file, 1024 * 1024)
        return path

    def _send(self, method: str, path: str, body: Any) -> requests.Response:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._session.request(
                    method, urljoin(self._url, path), json=body, timeout=30
                )
            except requests.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)


class Bar:
    """A line that is drawn again in a terminal, and a line for each change elsewhere."""

    def __init__(self, out: Any) -> None:
        self._out = out
        self._last = ""

    def show(self, job: Any) -> None:
        filled = round(job["progress"] * BAR_WIDTH)
        bar = "#" * filled + "-" * (BAR_WIDTH - filled)
        left = job.get("estimatedSecondsRemaining")
        soon = f"  about {left} s left" if left else ""
        line = f"[{bar}] {job['progress']:4.0%}  {job['status']}  {job['message']}{soon}"
        if line == self._last:
            return
        if self._out.isatty():
            self._out.write("\r\x1b[K" + line, ending="")
            self._out.flush()
        else:
            self._out.write(line)
        self._last = line

    def end(self) -> None:
        if self._out.isatty():
            self._out.write("")


def sha256(file: Any) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()
