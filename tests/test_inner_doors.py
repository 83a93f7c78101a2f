"""The file store of `make run` and of tests requires keys on every port."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from django.core.files.base import ContentFile

from downloads_project.local.programs import s3_program
from downloads_project.local.stack import Stack

KEY, CONTENT = "catalogue/inner-door/secret.txt", b"for its owner alone" * 1_000


@pytest.fixture
def stored(bucket: Any) -> Any:
    name = bucket.save(KEY, ContentFile(CONTENT))
    yield name
    bucket.delete(name)


def port_of(stack: Stack, part: str) -> str:
    server = next(process for process in stack.processes if process.name == "S3")
    option = f"-{part}="
    return next(str(o).removeprefix(option) for o in server.command if str(o).startswith(option))


def asked(port: str, path: str, method: str = "GET") -> int:
    body = b"not yours" if method in ("PUT", "POST") else None
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def content_of(bucket: Any, name: str) -> bytes:
    with bucket.open(name) as file:
        return bytes(file.read())


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
def test_the_filer_refuses_http(stack: Stack, bucket: Any, stored: str, method: str) -> None:
    status = asked(port_of(stack, "filer.port"), f"buckets/{bucket.bucket_name}/{stored}", method)

    assert status in (401, 403, 404)
    assert content_of(bucket, stored) == CONTENT


@pytest.mark.parametrize(
    "path", ["dir/assign", "dir/lookup?volumeId=1", "vol/grow?count=1", "col/delete?collection={}"]
)
def test_the_master_refuses_http(stack: Stack, bucket: Any, stored: str, path: str) -> None:
    status = asked(port_of(stack, "master.port"), path.format(bucket.bucket_name))

    assert status in (401, 403, 404)
    assert content_of(bucket, stored) == CONTENT


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_volume_accepts_only_signed_requests(stack: Stack, stored: str, method: str) -> None:
    assert asked(port_of(stack, "volume.port"), "1,01637037d6", method) == 401


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl")
def test_a_shell_without_the_certificate_has_no_access(
    stack: Stack, bucket: Any, stored: str, tmp_path: Path
) -> None:
    servers = [
        f"-{part}=127.0.0.1:{port_of(stack, f'{part}.port')}.{port_of(stack, f'{part}.port.grpc')}"
        for part in ("master", "filer")
    ]
    command = ["timeout", "4", s3_program(), "shell", *servers]
    commands = f"fs.ls /buckets/{bucket.bucket_name}\nexit\n"

    done = subprocess.run(
        command, input=commands, env=os.environ | {"HOME": str(tmp_path)}, cwd=tmp_path,
        capture_output=True, text=True,
    )  # fmt: skip

    assert "catalogue" not in done.stdout + done.stderr
