"""Uploads to real processes survive lost connections and a killed web process."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.contrib.auth.models import User

from downloads_project.processes import Process
from jobs import storage
from jobs.models import DownloadJob, IncomingUpload, StoredFile
from tests.links import stored_sha256
from tests.live import Live, on_this_database, until
from tests.processing import ffmpeg
from tests.test_forms import END, TYPE, field, file
from tests.uploads import CHUNK, in_the_bucket
from tests.wire import connect

pytestmark = pytest.mark.django_db(transaction=True)

MEBIBYTE = 2**20
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close without FIN, as a lost connection does


@pytest.fixture
def live(tmp_path: Path, alice: User, made_bucket: None) -> Iterator[Live]:
    live = Live(tmp_path, on_this_database() | {"CLAMD": "off"})
    try:
        live.start("dispatcher")
        live.sign_in(alice)
        yield live
    finally:
        live.stop()
        for prefix in ("raw/", "processed/"):
            storage.delete_all_objects_but([], prefix=prefix)


class Sender:
    """A client that uploads a file in chunks, and asks for the missing ones after each failure."""

    def __init__(self, live: Live, size_bytes: int) -> None:
        self._live = live
        self.size_bytes, self.sent_bytes = size_bytes, 0
        self.chunks = -(-size_bytes // CHUNK)
        asked = {"fileName": "drone.bin", "totalSize": size_bytes}
        self.id = self._json("post", "/upload/chunked", json=asked)["jobId"]

    def send(self, number: int, *, cut: bool = False, halfway: Callable[[], object] = str) -> int:
        """Send a chunk. Returns the status. With `cut`, disconnects halfway and returns None."""
        body = self._form(number)
        framing = f"Content-Length: {len(body)}"
        with connect(self._live.url, 60) as line:
            line.sendall(head(self._live, "/upload/chunked", framing) + body[: len(body) // 2])
            self.sent_bytes += len(body) // 2
            halfway()
            if cut:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                return 0
            line.sendall(body[len(body) // 2 :])
            self.sent_bytes += len(body) - len(body) // 2
            return int(line.recv(65536).split()[1])

    def missing(self) -> list[int]:
        """Return the missing chunks, as the service lists them."""
        told = self._json("get", f"/upload/chunked/{self.id}")
        return sorted(set(range(told["totalChunks"])) - set(told["receivedChunks"]))

    def sha256(self) -> str:
        digest = hashlib.sha256()
        for number in range(self.chunks):
            digest.update(self._chunk(number))
        return digest.hexdigest()

    def _chunk(self, number: int) -> bytes:
        size = min(CHUNK, self.size_bytes - number * CHUNK)
        return random.Random(number).randbytes(size)

    def _form(self, number: int) -> bytes:
        fields = {"jobId": self.id, "chunkIndex": number, "totalChunks": self.chunks}
        form = b"".join(field(name, str(value).encode()) for name, value in fields.items())
        return form + file(self._chunk(number), name="chunk", filename="blob") + END

    def _json(self, verb: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self._live.session.request(verb, f"{self._live.url}{path}", timeout=10, **options)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def head(live: Live, path: str, framing: str) -> bytes:
    authorization = f"Authorization: {live.session.headers['Authorization']!s}"
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", authorization, framing]
    return "\r\n".join([*lines, "Connection: close", f"Content-Type: {TYPE}", "", ""]).encode()


def resumed(live: Live, web: Process, size_bytes: int) -> tuple[Sender, DownloadJob]:
    """Upload with three lost connections and one killed web process, each within a chunk."""
    sender = Sender(live, size_bytes)
    total = sender.chunks
    cuts, killed = {total // 5, total // 2, total - 1}, {total // 3}
    while missing := sender.missing():
        number = missing[0]
        if number in cuts:
            cuts.remove(number)
            sender.send(number, cut=True)
        elif number in killed:
            killed.remove(number)
            sender.send(number, cut=True, halfway=lambda: live.kill(web))
            live.start_again(web)
        else:
            assert sender.send(number) == (202 if missing == [number] else 200)
    assert not cuts | killed
    until(lambda: DownloadJob.objects.get(pk=sender.id).is_finished, 120, live.logs)
    return sender, DownloadJob.objects.get(pk=sender.id)


@pytest.mark.parametrize(
    "mebibytes", [60, pytest.param(1024, marks=pytest.mark.long)], ids="{} MiB".format
)
def test_an_upload_resumes_after_three_cuts_and_a_kill(
    live: Live, mebibytes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    web = live.start("web")
    live.start("worker")
    began = time.monotonic()

    sender, job = resumed(live, web, mebibytes * MEBIBYTE + 7)

    again = sender.sent_bytes - sender.size_bytes
    with capsys.disabled():
        seconds = time.monotonic() - began
        print(f"\n{sender.size_bytes:,} bytes in {seconds:.0f} s, {again:,} sent twice")
    assert job.status == "completed", job.error
    assert stored_sha256(job) == sender.sha256()
    forms = 1_000 * sender.chunks  # the form around the chunks
    assert again < 4 * CHUNK // 2 + forms, "a half of each chunk that broke off, and no more"
    assert in_the_bucket(f"raw/{sender.id}") == [job.artifact.key]
    assert not IncomingUpload.objects.exists()


@pytest.mark.parametrize("framing", ["known", "chunked"])
@pytest.mark.parametrize("mebibytes", [1, 24], ids=["within its first part", "after some parts"])
def test_an_interrupted_form_leaves_nothing(live: Live, framing: str, mebibytes: int) -> None:
    live.start("web")
    form = file(os.urandom(mebibytes * MEBIBYTE))
    if framing == "known":
        begun = head(live, "/upload", f"Content-Length: {len(form) + 50_000_000}") + form
    else:
        opening = f"{len(form) + 9:x}\r\n".encode()
        begun = head(live, "/upload", "Transfer-Encoding: chunked") + opening + form

    with connect(live.url, 60) as line:
        line.sendall(begun)
        until(IncomingUpload.objects.exists, 20, live.logs)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    until(lambda: not IncomingUpload.objects.exists(), 20, live.logs)
    assert in_the_bucket("raw/") == []
    assert not StoredFile.objects.filter(role=StoredFile.Role.UPLOAD).exists()
    assert not DownloadJob.objects.exists()
    assert "Traceback" not in live.processes[-1].log.read_text()


def test_leftovers_of_a_killed_web_process_are_deleted(live: Live) -> None:
    web = live.start("web", UPLOAD_IDLE_SECONDS="1")
    form = file(os.urandom(24 * MEBIBYTE))
    begun = head(live, "/upload", f"Content-Length: {len(form) + 1_000_000}") + form

    with connect(live.url, 60) as line:
        line.sendall(begun)
        until(lambda: list(storage.list_open_uploads("raw/")), 20, live.logs)
        live.kill(web)
    left = IncomingUpload.objects.get()
    live.start("dispatcher", UPLOAD_IDLE_SECONDS="1", COLLECT_EVERY_SECONDS="0.5")

    until(lambda: not IncomingUpload.objects.filter(pk=left.pk).exists(), 30, live.logs)
    assert in_the_bucket("raw/") == []


def test_a_worker_killed_during_previews_is_harmless(live: Live, tmp_path: Path) -> None:
    film = ffmpeg.film(tmp_path / "film.mp4", size="640x360", seconds=8)
    live.start("web")
    killed = live.start("worker")
    form = {"file": ("film.mp4", film.read_bytes())}
    job_id = live.session.post(f"{live.url}/upload", files=form, timeout=30).json()["jobId"]
    until(lambda: helpers(killed), 60, live.logs)
    ours = helpers(killed)

    live.kill(killed)
    live.start("worker")
    told = live.wait_for(job_id, "completed", "failed")

    job = DownloadJob.objects.get(pk=job_id)
    assert (told["status"], told["attempts"]) == ("completed", 2), told
    assert [line.event for line in job.events.all()].count("succeed") == 1
    assert set(told["processedFiles"]) == {"poster", "clip"}
    assert sorted(in_the_bucket(f"processed/{job_id}")) == sorted(
        file.key for file in job.files.previews()
    )
    assert not any(psutil.pid_exists(pid) for pid in ours)


def helpers(worker: Process) -> list[int]:
    """Return the processes it started to read a file, including ffmpeg."""
    pool = psutil.Process(worker.popen.pid).children()
    return [each.pid for child in pool for each in child.children(recursive=True)]
