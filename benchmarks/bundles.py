"""Compare a bundle of many files with a copy of the same bytes by boto3.

Each runs in its own process, in alternating rounds. The store is that of S3_ENDPOINT_URL, or a
temporary one.

    .venv/bin/python benchmarks/bundles.py --files 1000 --kib 64
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from downloads_project.local.stack import Stack

MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)
TYPE = "application/octet-stream"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--kib", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contender", choices=list(CONTENDERS), help="run only this one, once")
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(run(options.contender, options.files, options.kib * 1024)))
        return
    with store():
        print(json.dumps(compare(options.files, options.kib, options.rounds), indent=2))


def compare(files: int, kib: int, rounds: int) -> dict[str, Any]:
    """Return the medians of each contender, and the ratio of the bundle to the raw copy."""
    command = [sys.executable, __file__, f"--files={files}", f"--kib={kib}"]
    results: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name, runs in results.items():
            done = subprocess.run(  # noqa: S603
                [*command, f"--contender={name}"], check=True, capture_output=True
            )
            runs.append(json.loads(done.stdout))
    medians = {
        name: {key: round(statistics.median(each[key] for each in runs), 2) for key in runs[0]}
        for name, runs in results.items()
    }
    ratios = [
        bundle["mb_per_second"] / raw["mb_per_second"]
        for bundle, raw in zip(results["bundle"], results["raw copy"], strict=True)
    ]
    return {"files": files, "kib": kib, **medians, "ratio": round(statistics.median(ratios), 2)}


@contextmanager
def store() -> Iterator[None]:
    if os.environ.get("S3_ENDPOINT_URL"):
        yield
        return
    stack = Stack(Path(tempfile.mkdtemp(prefix="bundles-")), durable=False)
    os.environ |= {"ENV_FILES": "", "PRODUCTION": "false"}
    try:
        os.environ |= stack.start()
        yield
    finally:
        stack.stop()
        shutil.rmtree(stack.folder, ignore_errors=True)


def run(contender: str, files: int, size: int) -> dict[str, float]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "downloads_project.settings")
    import django

    django.setup()
    from jobs import storage

    sources = stored(files, size)
    copy = CONTENDERS[contender]
    copy(sources[:3], "results/bundles/warm")
    storage.bucket().client, boto_client()  # each is created once per process
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    idle, began, used = memory_kib("VmRSS"), time.monotonic(), processor_seconds()
    copy(sources, f"results/bundles/{contender}")
    seconds = time.monotonic() - began
    return {
        "mb_per_second": files * size / seconds / 1e6,
        "processor_ms_a_file": (processor_seconds() - used) * 1000 / files,
        "mib_over_idle": (memory_kib("VmHWM") - idle) / 1024,
    }


def stored(files: int, size: int) -> list[Any]:
    """Store the sources and return them. Those of an earlier run are reused."""
    from jobs import storage
    from jobs.workspace import Source

    storage.make_bucket()
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    existing = {found.key for found in storage.list_objects(f"catalogue/bundles/{size}/")}
    crc32, sources = zlib.crc32(content), []
    for number in range(files):
        key = f"catalogue/bundles/{size}/{number}"
        sources.append(
            Source(key=key, name=f"{number}.bin", size_bytes=size, crc32=crc32, made_at=MADE_AT)
        )
        if key not in existing:
            output = storage.S3Output(key, content_type=TYPE, expected_bytes=size)
            output.write(content)
            output.finish()
    return sources


def bundle(sources: list[Any], key: str) -> None:
    from jobs import storage
    from jobs.kinds.archive.build import BundleParams, build_zip

    total = sum(source.size_bytes for source in sources)

    class Work:
        output = storage.S3Output(key, content_type="application/zip", expected_bytes=total)

        def measured(self, sources: Any) -> Any:
            return sources

        @contextmanager
        def read_ahead(self, sources: Any) -> AbstractContextManager[None]:
            with storage.ReadAhead(sources) as ahead:
                self.read = ahead.read
                yield

        def chunks(self, source: Any) -> Iterator[bytes]:
            return self.read(source)

        def say(self, message: str) -> None:
            pass

    work = Work()
    build_zip(BundleParams(tuple(sources)), work)
    work.output.finish()


def raw_copy(sources: list[Any], key: str) -> None:
    """Read each object with get_object, and write one with upload_fileobj."""
    from jobs import storage

    client, bucket = boto_client(), storage.bucket().bucket_name

    class Concatenated(io.RawIOBase):
        """The bytes of all objects, concatenated."""

        def __init__(self) -> None:
            self.remaining = iter(sources)
            self.body: Any = io.BytesIO()

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            pieces: list[bytes] = []
            while size > 0:
                if piece := self.body.read(size):
                    pieces.append(piece)
                    size -= len(piece)
                elif source := next(self.remaining, None):
                    self.body = client.get_object(Bucket=bucket, Key=source.key)["Body"]
                else:
                    break
            return b"".join(pieces)

    client.upload_fileobj(Concatenated(), bucket, key)


@cache
def boto_client() -> Any:
    import boto3
    from django.conf import settings

    options = settings.STORAGES["default"]["OPTIONS"]
    return boto3.client(
        "s3",
        endpoint_url=options["endpoint_url"],
        region_name=options["region_name"],
        aws_access_key_id=options["access_key"],
        aws_secret_access_key=options["secret_key"],
    )


CONTENDERS: dict[str, Callable[[list[Any], str], None]] = {"raw copy": raw_copy, "bundle": bundle}


def memory_kib(name: str) -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(f"{name}:"))


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
