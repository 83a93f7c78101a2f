"""Measure large uploads: the response time, concurrent polls of another client, memory.

`make bench-uploads` starts its own servers, web, worker and dispatcher on this machine, and takes
about two minutes. The exit status is 1 if a limit was exceeded.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import socket
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.faults import standalone
from tests.wire import Answer, connect, read_answer

if TYPE_CHECKING:
    from downloads_project.processes import Process
    from tests.live import Live

ROUNDS = 10
AT_ONCE = 50
LARGEST_AT_ONCE = 10
FILE_BYTES, LARGEST_BYTES = 20_000_000, 100_000_000
NETWORK = 200_000_000 // 8  # bytes per second: 200 Mbit/s
SHARED_NETWORK = 1_000_000_000 // 8  # of all concurrent uploads together
POLLS_A_SECOND = 20
# The limits.
RESPONSE_MS = 200
POLL_MS = 200
MORE_MIB = 128

PIECE_BYTES = 64 * 1024
BOUNDARY = "benchmark-of-uploads"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"
POLLED = re.compile(r'"GET /status/\S+ HTTP/1\.1" (?:200|304) \S+ (\d+)ms')
ROW = "| {:48} | {:>12} | {:>12} | {:8} |"


@dataclass(frozen=True)
class Upload:
    """`ms` is from the last byte that the kernel accepted to the first of the response."""

    response: Answer | None
    ms: float

    @property
    def status(self) -> int:
        return self.response.status if self.response else 0

    @property
    def description(self) -> str:
        if self.response is None:
            return "no response"
        content_type = self.response.headers.get_content_type()
        is_problem = content_type == "application/problem+json"
        return f"{self.status} {self.response.json['code'] if is_problem else content_type}"


class Benchmark:
    def __init__(self, live: Live, rounds: int) -> None:
        self._live, self._rounds = live, rounds
        self._form = form_of(FILE_BYTES)
        self._within_limits = True

    def run(self) -> int:
        self._live.start("dispatcher")
        self._live.start("worker")
        web = self._live.start("web")
        job_id = self._warm_up()
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
        print(ROW.format("", "measured", "limit", ""))
        print(ROW.format(*["---"] * 4), flush=True)
        self._one_at_a_time("at 200 Mbit/s", NETWORK)
        self._one_at_a_time("as fast as loopback", None)
        self._all_at_once(web, job_id, "over 1 Gbit/s", SHARED_NETWORK // AT_ONCE)
        self._all_at_once(web, job_id, "as fast as loopback", None)
        self._live.kill(web)
        self._largest_at_once()
        return int(not self._within_limits)

    def stop(self) -> None:
        self._live.stop()

    def _warm_up(self) -> str:
        """Send small uploads, so that each web process has loaded its modules. Returns a job ID."""
        small = form_of(20_000)
        with ThreadPoolExecutor(16) as pool:
            uploads = list(pool.map(lambda _: self._upload(small), range(16)))
        response = uploads[0].response
        if response is None or response.status != 202:
            sys.exit(f"POST /upload refuses a file: {response and response.body!r}")
        return str(response.json["jobId"])

    def _one_at_a_time(self, how: str, rate: int | None) -> None:
        uploads = [self._upload(self._form, rate) for _ in range(self._rounds)]
        waits = [upload.ms for upload in uploads]
        self._report_accepted(f"20 MB {how}: 202 responses", uploads)
        self._report("  last byte to response, median", median(waits), "ms", RESPONSE_MS)
        self._report("  last byte to response, worst", max(waits), "ms", RESPONSE_MS)

    def _all_at_once(self, web: Process, job_id: str, how: str, rate: int | None) -> None:
        logged = web.log.stat().st_size
        polls = Polls(self._live, job_id)
        polls.start()
        uploads, seconds = self._together(AT_ONCE, self._form, rate)
        polls.end()
        with web.log.open("rb") as log:
            log.seek(logged)
            found = [int(ms) for ms in POLLED.findall(log.read().decode(errors="replace"))]
        self._report_accepted(f"{AT_ONCE} of 20 MB {how}: 202 responses", uploads)
        self._report("  total time", seconds, "s")
        self._report("  concurrent polls", len(found), "polls")
        self._report("  poll, p95, in the server's log", p95(found), "ms", POLL_MS)
        self._report("  poll, p95, for its client", p95(polls.waits_ms), "ms")

    def _largest_at_once(self) -> None:
        web = self._live.start("web", WEB_PROCESSES="1")
        self._warm_up()
        pids = process_tree(web.popen.pid)
        reset_peaks(pids)
        idle = sum(memory_mib(pid, "VmRSS") for pid in pids)
        uploads, seconds = self._together(LARGEST_AT_ONCE, form_of(LARGEST_BYTES))
        peak = sum(memory_mib(pid, "VmHWM") for pid in pids)
        self._report_accepted(
            f"{LARGEST_AT_ONCE} of 100 MB at once, 1 process: 202 responses", uploads
        )
        self._report("  total time", seconds, "s")
        self._report("  web processes, idle", idle, "MiB")
        self._report("  web processes, peak over idle", peak - idle, "MiB", MORE_MIB)

    def _together(
        self, count: int, form: bytes, rate: int | None = None
    ) -> tuple[list[Upload], float]:
        began = time.monotonic()
        with ThreadPoolExecutor(count) as pool:
            uploads = list(pool.map(lambda _: self._upload(form, rate), range(count)))
        return uploads, time.monotonic() - began

    def _upload(self, form: bytes, rate: int | None = None) -> Upload:
        head = [
            "POST /upload HTTP/1.1",
            "Host: localhost",
            f"Authorization: {self._live.session.headers['Authorization']!s}",
            f"Content-Type: {TYPE}",
            f"Content-Length: {len(form)}",
            "Connection: close",
        ]
        with connect(self._live.url, 300) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(OSError):  # it was refused: the response has the reason
                connection.sendall("\r\n".join([*head, "", ""]).encode())
                send(connection, form, rate)
            sent = time.monotonic()
            with suppress(OSError):
                connection.recv(1, socket.MSG_PEEK)
            ms = (time.monotonic() - sent) * 1000
            with suppress(AssertionError, OSError):
                return Upload(read_answer(connection), ms)
        return Upload(None, ms)

    def _report_accepted(self, what: str, uploads: list[Upload]) -> None:
        accepted = sum(upload.status == 202 for upload in uploads)
        self._row(what, f"{accepted}", f"{len(uploads)}", accepted == len(uploads))
        others = Counter(upload.description for upload in uploads if upload.status != 202)
        for description, count in others.items():
            self._row(f"  {description}", f"{count}", "", None)

    def _report(self, what: str, value: float, unit: str, most: float | None = None) -> None:
        limit = "" if most is None else f"<= {most} {unit}"
        shown = f"{value} {unit}" if isinstance(value, int) else f"{value:.1f} {unit}"
        self._row(what, shown, limit, None if most is None else value <= most)

    def _row(self, what: str, value: str, limit: str, is_within: bool | None) -> None:
        self._within_limits &= is_within is not False
        verdict = {True: "ok", False: "EXCEEDED", None: ""}[is_within]
        print(ROW.format(what, value, limit, verdict), flush=True)


class Polls(threading.Thread):
    """Another client that polls the status of a job, POLLS_A_SECOND times per second."""

    def __init__(self, live: Live, job_id: str) -> None:
        super().__init__(daemon=True)
        self._live, self._url = live, f"{live.url}/status/{job_id}"
        self._over = threading.Event()
        self.waits_ms: list[float] = []

    def run(self) -> None:
        due = time.monotonic()
        while not self._over.wait(max(0, due - time.monotonic())):
            began = time.monotonic()
            self._live.session.get(self._url, timeout=60)
            self.waits_ms.append((time.monotonic() - began) * 1000)
            due = max(due + 1 / POLLS_A_SECOND, began)

    def end(self) -> None:
        self._over.set()
        self.join()


def form_of(size_bytes: int) -> bytes:
    """Return a form with a PDF of about this size: one page with an attachment of random bytes."""
    from pypdf import PdfWriter

    writer, pdf = PdfWriter(), io.BytesIO()
    writer.add_blank_page(595, 842)
    writer.add_attachment("noise.bin", os.urandom(size_bytes - 2_000))
    writer.write(pdf)
    head = 'Content-Disposition: form-data; name="file"; filename="noise.pdf"'
    opening = f"--{BOUNDARY}\r\n{head}\r\nContent-Type: application/pdf\r\n\r\n".encode()
    return opening + pdf.getvalue() + f"\r\n--{BOUNDARY}--\r\n".encode()


def send(connection: socket.socket, form: bytes, rate: int | None) -> None:
    """Send the form, at `rate` bytes per second, or as fast as possible."""
    began, rest = time.monotonic(), memoryview(form)
    for start in range(0, len(form), PIECE_BYTES):
        if rate:
            time.sleep(max(0, began + start / rate - time.monotonic()))
        connection.sendall(rest[start : start + PIECE_BYTES])


def p95(values: list[float] | list[int]) -> float:
    return quantiles(values, n=20)[-1] if len(values) > 1 else float("inf")


def process_tree(pid: int) -> list[int]:
    """Return the process IDs of gunicorn's main process and its children."""
    from tests.live import children

    return [pid, *children(pid)]


def reset_peaks(pids: list[int]) -> None:
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets VmHWM


def memory_mib(pid: int, name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds

    def build(folder: Path, _: object) -> Benchmark:
        from tests.factories import UserFactory
        from tests.live import Live

        live = Live(folder, {})
        live.sign_in(UserFactory(username="benchmark"))
        return Benchmark(live, rounds)

    return standalone.serve(build, Benchmark.run)


if __name__ == "__main__":
    sys.exit(main())
