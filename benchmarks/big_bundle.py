"""Measure a worker's memory, open files and speed while it builds a large bundle.

Run it while `make run` is running:  .venv/bin/python benchmarks/big_bundle.py --gib 2
The exit status is 1 if a limit was exceeded.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "downloads_project.settings")

import django
import requests

django.setup()

from django.conf import settings

from downloads_project.celery import app
from jobs import storage
from jobs.models import StoredFile

RUN = json.loads((settings.STACK_FOLDER / "run.json").read_text())
FIRST_FILE_ID = 79_000
PIECE = os.urandom(1024 * 1024)
PIECES_A_SOURCE = 256
# The limits.
MAX_MORE_BYTES = 150 * 2**20
MAX_FILE_BYTES = 64 * 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=2)
    ids = list(store_sources(int(parser.parse_args().gib * 4)))
    processes = worker_processes()
    idle = {pid: rss_bytes(pid) for pid in processes}
    session, job_id = initiate(ids)
    began, peak, largest_file, status = time.monotonic(), dict(idle), 0, {}
    while status.get("status") not in ("completed", "failed"):
        for pid in processes:
            peak[pid] = max(peak[pid], rss_bytes(pid))
            largest_file = max(largest_file, largest_open_file(pid))
        status = session.get(f"{RUN['url']}/v1/download/status/{job_id}", timeout=10).json()
        time.sleep(0.1)
    seconds = time.monotonic() - began
    more = max(peak[pid] - idle[pid] for pid in processes)
    print(f"{status['status']}: {status['total'] / 2**30:.2f} GiB in {seconds:.1f} s")
    print(f"rate                 {status['total'] / seconds / 1e6:8.0f} MB/s")
    print(f"worker, idle         {max(idle.values()) / 2**20:8.0f} MiB")
    print(f"worker, over idle    {more / 2**20:8.0f} MiB")
    print(f"largest open file    {largest_file / 2**20:8.0f} MiB")
    within_limits = more < MAX_MORE_BYTES and largest_file < MAX_FILE_BYTES
    sys.exit(not (status["status"] == "completed" and within_limits))


def store_sources(count: int) -> Iterator[int]:
    """Store sources of 256 MiB each, and yield their IDs. Those of an earlier run are reused."""
    for file_id in range(FIRST_FILE_ID, FIRST_FILE_ID + count):
        yield file_id
        if StoredFile.objects.filter(file_id=file_id).exists():
            continue
        key = f"catalogue/{file_id}/big.bin"
        output = storage.S3Output(key, content_type="application/octet-stream", expected_bytes=0)
        for _ in range(PIECES_A_SOURCE):
            output.write(PIECE)
        output.finish()
        StoredFile.objects.create(
            file_id=file_id,
            key=key,
            name="big.bin",
            content_type="application/octet-stream",
            size_bytes=output.size_bytes,
            sha256=output.sha256,
            crc32=output.crc32,
        )


def worker_processes() -> list[int]:
    """Return the process IDs of all workers and their pool processes."""
    stats = app.control.inspect(timeout=5).stats() or sys.exit("No worker responds.")
    return [
        pid for worker in stats.values() for pid in [worker["pid"], *worker["pool"]["processes"]]
    ]


def initiate(file_ids: list[int]) -> tuple[requests.Session, str]:
    session = requests.Session()
    login = {"username": RUN["user"], "password": RUN["password"]}
    token = session.post(f"{RUN['url']}/v1/auth/token", json=login, timeout=10).json()["access"]
    session.headers["Authorization"] = f"Bearer {token}"
    body = {"file_ids": file_ids}
    response = session.post(f"{RUN['url']}/v1/download/initiate", json=body, timeout=10)
    return session, response.json()["jobId"]


def rss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def largest_open_file(pid: int) -> int:
    sizes = [0]
    for link in Path(f"/proc/{pid}/fd").iterdir():
        if link.exists() and link.resolve().is_file():
            sizes.append(link.stat().st_size)
    return max(sizes)


if __name__ == "__main__":
    main()
