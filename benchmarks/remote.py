"""Fetching a link, compared with aria2c: in pairs, the same file, the same connections.

`make bench-remote`: servers of its own, and a web server on the loopback in a process of its own;
takes about two minutes. Ours is a warm worker's attempt, from the claim to the settled row, with
the file stored. The exit status tells whether both promises were kept.
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
# None of its other ways to write and to poll was faster beyond the noise.
ARIA2C = f"aria2c -q --no-conf -x {CONNECTIONS} -s {CONNECTIONS} -k 1M".split()
ARIA2C += ["--file-allocation=none", "--disk-cache=64M"]
ROW = "| {:26} | {:>7} | {:>7} | {:>5} | {:>10} | {:>8} |"


@dataclass(frozen=True)
class Race:
    """`rate` is in bytes a second for each connection; `most` is what is promised of the ratio."""

    name: str
    size_bytes: int
    rate: int | None
    is_uploaded: bool  # what aria2c fetched, by boto3
    most: float


WARM_UP = Race("", 20_000_000, None, True, 0)
RACES = [
    Race("5 MB/s a connection", 100_000_000, 5_000_000, False, 1.05),
    Race("unthrottled, then uploaded", 256 * 2**20, None, True, 1.0),
]


class Contest:
    """Both fetch what the server at `url` has. Each leaves nothing behind but rows."""

    def __init__(self, race: Race, url: str, folder: Path) -> None:
        self._race, self._url, self._path = race, url, folder / "fetched"
        self._sha256 = File(size=race.size_bytes).sha256()

    def pair(self, *, ours_first: bool) -> tuple[float, float]:
        """Seconds of ours, and of theirs."""
        if ours_first:
            return self.ours(), self.theirs()
        theirs = self.theirs()
        return self.ours(), theirs

    def ours(self) -> float:
        from django.contrib.auth.models import User

        from jobs.engine import runner
        from jobs.engine.submission import submit

        owner, _ = User.objects.get_or_create(username="benchmark")
        params = {"url": self._url, "threads": CONNECTIONS}
        job, _ = submit(owner=owner, kind="remote", params=params)
        seconds = timed(lambda: runner.run(job.pk, task_id="benchmark", worker="benchmark"))
        job.refresh_from_db()
        if job.artifact is None:
            sys.exit(f"Ours is {job.status}: {job.error}")
        self._check_object(job.artifact.key)
        return seconds

    def theirs(self) -> float:
        place = [f"--dir={self._path.parent}", f"--out={self._path.name}"]
        seconds = timed(lambda: subprocess.run([*ARIA2C, *place, self._url], check=True))  # noqa: S603
        if self._race.is_uploaded:
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

        self._check(storage.read(key))
        storage.delete(key)

    def _check(self, chunks: Iterable[bytes]) -> None:
        digest = hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
        if digest.hexdigest() != self._sha256:
            sys.exit("What was fetched is not what was served.")


class Benchmark:
    def __init__(self, folder: Path, pairs: int) -> None:
        self._folder, self._pairs = folder, pairs

    def run(self) -> int:
        self._measure(WARM_UP, 1)
        setup = f"{CONNECTIONS} connections, medians of {self._pairs} pairs"
        print(f"{setup}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
        print(ROW.format("", "ours", "aria2c", "ratio", "from, to", "promised"))
        print(ROW.format(*["---"] * 6), flush=True)
        kept = [self._keeps(race) for race in RACES]  # both, whatever the first says
        return int(not all(kept))

    def stop(self) -> None:
        """Nothing runs between two races."""

    def _keeps(self, race: Race) -> bool:
        pairs = self._measure(race, self._pairs)
        ours, theirs = (f"{median(seconds):.2f} s" for seconds in zip(*pairs, strict=True))
        ratios = [ours / theirs for ours, theirs in pairs]
        spread = f"{min(ratios):.2f}, {max(ratios):.2f}"
        ratio, promised = f"{median(ratios):.3f}", f"<= {race.most:.2f}"
        print(ROW.format(race.name, ours, theirs, ratio, spread, promised), flush=True)
        return median(ratios) <= race.most

    def _measure(self, race: Race, pairs: int) -> list[tuple[float, float]]:
        with served(race, self._folder / "server.log") as url:
            contest = Contest(race, url, self._folder)
            return [contest.pair(ours_first=n % 2 == 0) for n in range(pairs)]


@contextmanager
def served(race: Race, log: Path) -> Iterator[str]:
    """The address of a file, from a server that is there as long as the context is."""
    command = [sys.executable, "-m", "tests.hostile.fast", "0", str(race.size_bytes)]
    command += [str(race.rate)] if race.rate else []
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
    """Seconds."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    pairs = parser.parse_args().pairs
    if not shutil.which("aria2c") and not debian.install("aria2"):
        sys.exit("aria2c is not here and cannot be installed: install Debian's aria2.")
    os.environ |= WORKER
    return standalone.serve(lambda folder, _: Benchmark(folder, pairs), Benchmark.run)


if __name__ == "__main__":
    sys.exit(main())
