"""`downloads upload FILE…` with a fake service: which chunks are sent, and what is reported."""

from __future__ import annotations

import json
import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.client.fake import JOB_ID, STATUS, Fake, Handler, job, json_response, problem
from tests.client.test_program import MODULE, login, run

CHUNKED = "/upload/chunked"
CHUNK = 1000
CONTENT = os.urandom(2_500)  # three chunks
DONE = job("completed", kind="upload", fileName="a.bin", fileId=1_000_004)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.bin"
    path.write_bytes(CONTENT)
    return path


def upload(received: list[int], size: int = len(CONTENT)) -> dict[str, Any]:
    return {
        "jobId": JOB_ID,
        "fileName": "a.bin",
        "totalSize": size,
        "chunkSize": CHUNK,
        "totalChunks": -(-size // CHUNK),
        "receivedChunks": received,
    }


class Chunks:
    """Answers the first request with `begun`, and collects the chunks of the others."""

    def __init__(self, fake: Fake, begun: Any, status: int = 200) -> None:
        self.fake, self.begun, self.status = fake, begun, status
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.chunks: dict[int, bytes] = {}
        self.broken: list[int] = []  # statuses of the next chunks
        fake.on(CHUNKED, self)

    def __call__(self, handler: Handler) -> None:
        request = self.fake.to(CHUNKED)[-1]
        if request.headers["Content-Type"] == "application/json":
            self.bodies.append(json.loads(request.body))
            self.keys.append(request.headers["Idempotency-Key"])
            json_response(self.begun, self.status)(handler)
        elif self.broken:
            problem(self.broken.pop(), "overloaded", "Try again.")(handler)
        else:
            number = re.search(rb'name="chunkIndex"\r\n\r\n(\d+)\r\n', request.body)
            content = re.search(
                rb'name="chunk"; filename="chunk"\r\n\r\n(.*)\r\n--[0-9a-f]+--\r\n\Z',
                request.body,
                re.DOTALL,
            )
            assert number
            assert content
            self.chunks[int(number[1])] = content[1]
            json_response(upload([]))(handler)


def send(fake: Fake, tmp_path: Path, *arguments: str) -> Any:
    return run(MODULE, "upload", *arguments, *login(fake), folder=tmp_path)


def test_a_file_is_sent_in_chunks_and_followed(fake: Fake, file: Path, tmp_path: Path) -> None:
    chunks = Chunks(fake, upload([]))
    fake.on(STATUS, json_response(job("processing", kind="upload")), json_response(DONE))

    done = send(fake, tmp_path, "a.bin", "--email", "--threads", "1")

    assert (done.returncode, done.stdout) == (0, "1000004\n"), done.stderr
    assert b"".join(chunks.chunks[n] for n in range(3)) == CONTENT
    assert chunks.bodies == [
        {
            "fileName": "a.bin",
            "totalSize": 2_500,
            "sha256": sha256(CONTENT).hexdigest(),
            "email": True,
        }
    ]
    assert f"Uploading a.bin, 3 kB: upload {JOB_ID}" in done.stderr
    assert "Processed: a.bin, file 1000004" in done.stderr


def test_only_missing_chunks_are_sent(fake: Fake, file: Path, tmp_path: Path) -> None:
    chunks = Chunks(fake, upload([0, 2]))
    fake.on(STATUS, json_response(DONE))

    done = send(fake, tmp_path, "a.bin")

    assert done.returncode == 0, done.stderr
    assert chunks.chunks == {1: CONTENT[1000:2000]}
    assert "Resuming a.bin after 2 kB of 3 kB" in done.stderr
    assert "Processed: a.bin" in done.stderr  # although it was, at the first poll


def test_if_no_chunk_is_missing_one_is_sent_to_start_the_job(
    fake: Fake, file: Path, tmp_path: Path
) -> None:
    chunks = Chunks(fake, upload([0, 1, 2]))
    fake.on(STATUS, json_response(DONE))

    assert send(fake, tmp_path, "a.bin").returncode == 0
    assert chunks.chunks == {0: CONTENT[:1000]}


def test_the_same_file_has_the_same_key(fake: Fake, file: Path, tmp_path: Path) -> None:
    chunks = Chunks(fake, DONE, status=202)

    twice = [send(fake, tmp_path, "a.bin") for _ in range(2)]
    forced = send(fake, tmp_path, "a.bin", "--force")
    file.write_bytes(CONTENT[::-1])
    send(fake, tmp_path, "a.bin")

    assert [each.stdout for each in (*twice, forced)] == ["1000004\n"] * 3
    assert "Already uploaded: a.bin, file 1000004" in twice[1].stderr
    first, second, third, fourth = chunks.keys
    assert first == second
    assert len({first, third, fourth}) == 3
    assert not chunks.chunks


@pytest.mark.parametrize("status", ["failed", "cancelled", "expired"])
def test_an_earlier_upload_that_is_of_no_use_is_not_returned(
    fake: Fake, file: Path, tmp_path: Path, status: str
) -> None:
    chunks = Chunks(fake, job(status, kind="upload", error="broken"), status=202)

    send(fake, tmp_path, "a.bin")

    assert len(set(chunks.keys)) == 2


def test_a_chunk_is_tried_again(fake: Fake, file: Path, tmp_path: Path) -> None:
    chunks = Chunks(fake, upload([]))
    chunks.broken = [503, 502]
    fake.on(STATUS, json_response(DONE))

    done = send(fake, tmp_path, "a.bin")

    assert done.returncode == 0, done.stderr
    assert b"".join(chunks.chunks[n] for n in range(3)) == CONTENT


def test_threads_share_a_token_and_renew_it_once(fake: Fake, file: Path, tmp_path: Path) -> None:
    tokens = [json_response({"access": name, "refresh": "x"}) for name in ("first", "second")]
    fake.on("/v1/auth/token", *tokens)
    chunks = Chunks(fake, upload([]))
    chunks.broken = [401]
    fake.on(STATUS, json_response(DONE))

    done = send(fake, tmp_path, "a.bin")

    assert done.returncode == 0, done.stderr
    assert b"".join(chunks.chunks[n] for n in range(3)) == CONTENT
    assert len(fake.to("/v1/auth/token")) == 2
    assert fake.to(STATUS)[-1].headers["Authorization"] == "Bearer second"


def test_one_that_fails_does_not_stop_the_others(fake: Fake, file: Path, tmp_path: Path) -> None:
    (tmp_path / "b.bin").write_bytes(b"second")
    refused = problem(413, "too_large", "The file is too large.")
    fake.on(CHUNKED, refused, json_response(DONE, 202))

    done = send(fake, tmp_path, "a.bin", "b.bin", "--json")

    body = json.loads(done.stdout)
    assert (done.returncode, body["exitCode"], body["errorCode"]) == (3, 3, "too_large")
    first, second = body["files"]
    assert (first["path"], first["error"], first["jobId"]) == (
        "a.bin",
        "The file is too large.",
        None,
    )
    assert (second["fileId"], second["status"], second["error"]) == (1_000_004, "completed", None)
    assert second["sha256"] == sha256(b"second").hexdigest()


def test_a_failed_job_is_exit_code_1(fake: Fake, file: Path, tmp_path: Path) -> None:
    Chunks(fake, upload([]))
    error = {"error": "A virus was found.", "errorCode": "infected"}
    fake.on(STATUS, json_response(job("failed", kind="upload", **error)))

    done = send(fake, tmp_path, "a.bin", "--json")

    (shown,) = json.loads(done.stdout)["files"]
    assert (done.returncode, shown["status"], shown["errorCode"]) == (1, "failed", "infected")
    assert "a.bin: the upload failed: A virus was found." in done.stderr


def test_a_service_that_is_gone_is_exit_code_4(fake: Fake, file: Path, tmp_path: Path) -> None:
    Chunks(fake, upload([])).broken = [503] * 100

    done = send(fake, tmp_path, "a.bin", "--retry-for", "0")

    assert (done.returncode, done.stdout) == (4, ""), done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "the following arguments are required: FILE"),
        (["nothing.bin"], "There is no file nothing.bin."),
        (["folder"], "folder is a folder."),
        (["empty"], "empty is empty."),
        (["a.bin", "a.bin", "--name=x"], "--name works for one file."),
        (["a.bin", "--threads=17"], "--threads needs a number from 1 to 16."),
        (["a.bin", "--run-at=noon"], "--run-at needs a time"),
        (["a.bin", "--bundle"], "unrecognized arguments"),
    ],
)
def test_wrong_arguments_send_nothing(
    fake: Fake, file: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()

    done = send(fake, tmp_path, *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert not fake.requests


def test_usage_errors_are_json_for_programs(fake: Fake, tmp_path: Path) -> None:
    done = send(fake, tmp_path, "nothing.bin", "--json")

    assert json.loads(done.stdout)["errorCode"] == "usage"
