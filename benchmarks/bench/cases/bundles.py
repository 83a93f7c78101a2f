"""A bundle of small files, compared with a copy of their bytes by boto3."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import boto3
import requests
from botocore.config import Config

from benchmarks.bench import processor_time
from benchmarks.bench.figures import Result, Row, alternate
from benchmarks.bench.rig import Rig
from jobs.models import StoredFile
from tests.factories import store
from tests.live import until

MEGABYTES = "MB per second"
OVER_IDLE = "memory over idle"
FIRST_FILE_ID, FILE_BYTES = 100_000, 64 * 1024
ALONE = Path(__file__).parents[2] / "bundles.py"  # the builder without a job
POLL_SECONDS = 0.02


def small_files(rig: Rig) -> Result:
    """How fast is a zip of 1,000 files of 64 KiB, compared with a copy of their bytes?"""
    files = [_stored(FIRST_FILE_ID + n) for n in range(rig.sizes.bundled)]
    megabytes = len(files) * FILE_BYTES / 1e6
    copy = partial(_copy, rig, [file.key for file in files])
    bundle = partial(_bundle, rig, [file.file_id for file in files])
    copy(), bundle()
    watch = PeakMemory(rig.service.roots("worker")["worker"][0])
    with watch:
        seconds = alternate({"service": bundle, "boto3": copy}, rig.sizes.rounds)
    result = Result()
    rates = {name: [megabytes / each for each in took] for name, took in seconds.items()}
    result.rows.append(Row(MEGABYTES, "MB/s", rates))
    result.add(OVER_IDLE, "MiB", watch.over_idle_mib)
    if ALONE.exists():
        result.rows.append(_alone(rig))
    return result


def _alone(rig: Rig) -> Row:
    options = [f"--files={rig.sizes.bundled}", f"--rounds={rig.sizes.rounds}"]
    command = [sys.executable, str(ALONE), *options]
    with rig.quiet():
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    found = json.loads(done.stdout)
    rates = {"service": found["bundle"], "boto3": found["raw copy"]}
    metric = f"without a job: {MEGABYTES}"
    return Row(metric, "MB/s", {name: [each["mb_per_second"]] for name, each in rates.items()})


def _stored(file_id: int) -> StoredFile:
    return store(file_id, f"{file_id}.bin", os.urandom(FILE_BYTES))


def _bundle(rig: Rig, file_ids: list[int]) -> float:
    """Create a job. Returns the seconds from its claim to its completion."""
    service = rig.service
    body = {"file_ids": file_ids}
    url = f"{service.url}/v1/download/initiate"
    response = requests.post(url, json=body, headers=service.headers(), timeout=30)
    job_id = response.json()["jobId"]
    until(service.is_idle, 120)
    sql = "SELECT extract(epoch FROM finished_at - started_at) FROM jobs_downloadjob WHERE id = %s"
    return float(service.query(sql, job_id)[0][0])


def _copy(rig: Rig, keys: list[str]) -> float:
    """Read the files one by one and upload one object. Returns the seconds."""
    client = boto3.client(
        "s3",
        endpoint_url=os.environ["S3_ENDPOINT_URL"],
        aws_access_key_id=os.environ["S3_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["S3_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    bucket = os.environ["S3_BUCKET"]
    with rig.quiet():
        began, content = time.monotonic(), io.BytesIO()
        for key in keys:
            content.write(client.get_object(Bucket=bucket, Key=key)["Body"].read())
        content.seek(0)
        client.upload_fileobj(content, bucket, "results/copied")
        return time.monotonic() - began


class PeakMemory:
    """A context manager that records the peak memory of a process tree."""

    def __init__(self, root: int) -> None:
        self._root, self._over = root, threading.Event()
        self._idle = self._peak = processor_time.memory_kib(root)
        self._thread = threading.Thread(target=self._poll, daemon=True)

    @property
    def over_idle_mib(self) -> float:
        return (self._peak - self._idle) / 1024

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _poll(self) -> None:
        while not self._over.wait(POLL_SECONDS):
            self._peak = max(self._peak, processor_time.memory_kib(self._root))
