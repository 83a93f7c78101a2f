"""Compare fetching a link with aria2c: in pairs, with the same file and number of connections.

`make bench-remote` starts its own servers, and a web server on the loopback interface; it takes
about two minutes. The service's time is that of an attempt by a warm worker, from the claim to the
completed row, with the file stored. The exit status is 1 if a limit was exceeded.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from deploy import debian
from downloads_project.processes import Process
from tests.faults import standalone
from tests.hostile.content import File

WORKER = {
    "ROLE": "worker",
    "LOG_LEVEL": "WARNING",
    "REMOTE_ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
}
CONNECTIONS = 4
# None of its other options for writing and polling was measurably faster.
ARIA2C = f"aria2c -q --no-conf -x {CONNECTIONS} -s {CONNECTIONS} -k 1M".split()
ARIA2C += ["--file-allocation=none", "--disk-cache=64M"]
ROW = "| {:26} | {:>7} | {:>7} | {:>5} | {:>10} | {:>8} |"


@dataclass(frozen=True)
class Scenario:
    """`rate` is in bytes per second for each connection; `max_ratio` is the limit."""

    name: str
    size_bytes: int
    rate: int | None
    is_uploaded: bool  # by boto3, after aria2c has fetched the file
    max_ratio: float


WARM_UP = Scenario("", 20_000_000, None, True, 0)
SCENARIOS = [
    Scenario("5 MB/s per connection", 100_000_000, 5_000_000, False, 1.05),
    Scenario("unthrottled, then uploaded", 256 * 2**20, None, True, 1.0),
]


class Pairs:
    """Pairs of downloads of `url`, by the service and by aria2c. Only rows remain afterwards."""

    def __init__(self, scenario: Scenario, url: str, folder: Path) -> None:
        self._scenario, self._url, self._path = scenario, url, folder / "fetched"
        self._sha256 = File(size=scenario.size_bytes).sha256()

    def pair(self, *, service_first: bool) -> tuple[float, float]:
        """Return the seconds of the service, and those of aria2c."""
        if service_first:
            return self.service(), self.aria2c()
        aria2c_seconds = self.aria2c()
        return self.service(), aria2c_seconds

    def service(self) -> float:
        from django.contrib.auth.models import User

        from jobs.engine import runner
        from jobs.engine.submission import submit_job

        owner, _ = User.objects.get_or_create(username="benchmark")
        params = {"url": self._url, "threads": CONNECTIONS}
        job, _ = submit_job(owner=owner, kind="remote", params=params)
        seconds = timed(lambda: runner.run_job(job.pk, task_id="benchmark", worker="benchmark"))
        job.refresh_from_db()
        if job.artifact is None:
            sys.exit(f"The service's job is {job.status}: {job.error}")
        self._check_object(job.artifact.key)
        return seconds

    def aria2c(self) -> float:
        place = [f"--dir={self._path.parent}", f"--out={self._path.name}"]
        seconds = timed(lambda: subprocess.run([*ARIA2C, *place, self._url], check=True))  # noqa: S603
        if self._scenario.is_uploaded:
            seconds += timed(self._upload)
            self._check_object(self._path.name)
        with self._path.open("rb") as file:
            self._check(iter(lambda: file.read(2**20), b""))
        self._path.unlink()
        return seconds

    def _upload(self) -> None:
        from jobs import storage

        bucket = storage.bucket()
        bucket.client.upload_file(str(self._path), bucket.bucket_name, self._path.name)

    def _check_object(self, key: str) -> None:
        from jobs import storage

        self._check(storage.read_object(key))
        storage.delete_object_and_uploads(key)

    def _check(self, chunks: Iterable[bytes]) -> None:
        digest = hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
        if digest.hexdigest() != self._sha256:
            sys.exit("The fetched file differs from the served one.")


class Benchmark:
    def __init__(self, folder: Path, pairs: int) -> None:
        self._folder, self._pairs = folder, pairs

    def run(self) -> int:
        self._measure(WARM_UP, 1)
        setup = f"{CONNECTIONS} connections, medians of {self._pairs} pairs"
        print(f"{setup}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
        print(ROW.format("", "service", "aria2c", "ratio", "min, max", "limit"))
        print(ROW.format(*["---"] * 6), flush=True)
        within_limits = [self._is_within_limit(scenario) for scenario in SCENARIOS]
        return int(not all(within_limits))

    def stop(self) -> None:
        """Stop nothing: no process runs between two scenarios."""

    def _is_within_limit(self, scenario: Scenario) -> bool:
        pairs = self._measure(scenario, self._pairs)
        service, aria2c = (f"{median(seconds):.2f} s" for seconds in zip(*pairs, strict=True))
        ratios = [of_service / of_aria2c for of_service, of_aria2c in pairs]
        spread = f"{min(ratios):.2f}, {max(ratios):.2f}"
        ratio, limit = f"{median(ratios):.3f}", f"<= {scenario.max_ratio:.2f}"
        print(ROW.format(scenario.name, service, aria2c, ratio, spread, limit), flush=True)
        return median(ratios) <= scenario.max_ratio

    def _measure(self, scenario: Scenario, pairs: int) -> list[tuple[float, float]]:
        with served(scenario, self._folder / "server.log") as url:
            downloads = Pairs(scenario, url, self._folder)
            return [downloads.pair(service_first=n % 2 == 0) for n in range(pairs)]


@contextmanager
def served(scenario: Scenario, log: Path) -> Iterator[str]:
    """Start a server with a file, and yield the URL. Stops the server at the end."""
    command = [sys.executable, "-m", "tests.hostile.fast", "0", str(scenario.size_bytes)]
    command += [str(scenario.rate)] if scenario.rate else []
    log.unlink(missing_ok=True)
    server = Process("The file server", command, log, {"PYTHONPATH": str(ROOT)})
    server.start()
    try:
        server.wait_until(lambda: log.read_text().index("\n"))
        yield log.read_text().strip()
    finally:
        server.ask_to_stop()
        server.end(5)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    pairs = parser.parse_args().pairs
    if not shutil.which("aria2c") and not debian.install("aria2"):
        sys.exit("aria2c is missing and could not be installed: install Debian's aria2.")
    os.environ |= WORKER
    return standalone.serve(lambda folder, _: Benchmark(folder, pairs), Benchmark.run)


if __name__ == "__main__":
    sys.exit(main())
