"""Register small objects of a bucket as files: objects per second, memory of the worker.

    python benchmarks/register_objects.py [--objects 1000000] [--bytes 200]

It stores the objects on temporary servers first, which takes longer than registering them. Then it
registers them by a job, registers them again, which reads nothing, and changes and deletes some.
The exit status is 1 if a limit was exceeded.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
os.environ["BUCKETS"] = "objects"

from benchmarks.model_export import resident_mib
from tests.faults import standalone

if TYPE_CHECKING:
    from jobs.models import DownloadJob
    from tests.live import Live

BUCKET, PROCESSES, THREADS = "objects", 2, 8
MAX_MIB = 100  # of the worker, over idle
SOME = 100  # that are changed, and deleted


def measure(live: Live, objects: int, size: int) -> int:
    from django.contrib.auth.models import User
    from django.db import connection

    from jobs import storage
    from jobs.models import StoredFile
    from tests.live import children

    storage.bucket().client.create_bucket(Bucket=BUCKET)
    began = time.monotonic()
    store(range(objects), size)
    report("stored", objects, began)
    User.objects.create_superuser("operator", "", "secret")
    live.start("dispatcher")
    worker = live.start("worker")
    run_once(prefix="none/", watched=[])  # what the first job loads is not the objects'
    pids = [worker.popen.pid, *children(worker.popen.pid)]
    idle, highest = max(map(resident_mib, pids)), 0.0
    for title, prepare in {
        "first run": lambda: None,
        "second run": lambda: None,
        f"{SOME} changed, {SOME} gone": lambda: change(size),
    }.items():
        prepare()
        began = time.monotonic()
        job, peak = run_once(prefix="", watched=pids)
        report(f"{title}: {job.status} {job.error} {job.metadata}", objects, began)
        print(f"  worker {peak:.0f} MiB at most, {peak - idle:.0f} over idle", flush=True)
        highest = max(highest, peak)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('jobs_storedfile') / 2^20")
        (table,) = cursor.fetchone()
    print(f"{StoredFile.objects.available().count():,} files; table and indexes {table:.0f} MiB")
    return int(highest - idle > MAX_MIB)


def report(title: str, objects: int, began: float) -> None:
    seconds = time.monotonic() - began
    print(f"{title}: {seconds:.1f} s, {objects / seconds:,.0f}/s", flush=True)


def run_once(*, prefix: str, watched: list[int]) -> tuple[DownloadJob, float]:
    """Register the objects by a job of the API. Return it, and the peak of these processes."""
    from django.contrib.auth.models import User
    from rest_framework.test import APIClient

    from jobs.models import DownloadJob
    from jobs.states import FINAL

    client = APIClient(SERVER_NAME="localhost")
    client.force_authenticate(User.objects.get())
    body = {"bucket": BUCKET, "prefix": prefix, "public": True}
    answer: Any = client.post("/v1/files", body, format="json")
    job, peak = DownloadJob.objects.get(pk=answer.json()["jobId"]), 0.0
    while job.status not in FINAL:
        peak = max([peak, *map(resident_mib, watched)])
        time.sleep(0.1)
        job.refresh_from_db()
    return job, peak


def change(size: int) -> None:
    """Store other content under some keys, and delete others."""
    from jobs import storage

    for number in range(SOME):
        put(number, size + 1)
        storage.bucket().client.delete_object(Bucket=BUCKET, Key=key_of(SOME + number))


def store(numbers: range, size: int) -> None:
    """Store an object for each number, in processes with threads."""
    parts = [(numbers[n::PROCESSES], size) for n in range(PROCESSES)]
    processes = [get_context("fork").Process(target=store_part, args=part) for part in parts]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0


def store_part(numbers: range, size: int) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for first in range(0, len(numbers), 10_000):
            list(pool.map(lambda number: put(number, size), numbers[first : first + 10_000]))


def key_of(number: int) -> str:
    return f"{number // 1000:04}/object-{number:07}.txt"


def put(number: int, size: int) -> None:
    from jobs import storage

    body = f"This is object {number}.\n".encode().ljust(size, b".")
    storage.bucket().objects_in(BUCKET).put(key_of(number), body, content_type="text/plain")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--bytes", type=int, default=200)
    options = parser.parse_args()

    def build(folder: Path, _: object) -> Live:
        from tests.live import Live

        return Live(folder, {})

    return standalone.serve(build, lambda live: measure(live, options.objects, options.bytes))


if __name__ == "__main__":
    sys.exit(main())
