"""`make soak MINUTES=10`: random faults under steady load, then a count of what was lost.

Clients post with an idempotency key and retry until they get a response, then poll until their job
ends. Meanwhile faults follow one another in an order that SEED decides. Dead processes are
restarted after a second, as an init system would do. The exit status is 0 if no job was lost, none
ran twice and no response was a 500.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.faults import standalone
from tests.faults.clients import NORMAL_REQUESTS, POISON, Client, Tally

if TYPE_CHECKING:
    from tests.faults.rig import Rig

MINUTES = float(os.environ.get("MINUTES", "10"))
SEED = int(os.environ.get("SEED", "1"))
JOBS_A_SECOND = float(os.environ.get("JOBS_A_SECOND", "1.6"))
CLIENTS = 64
PAUSE_SECONDS = (4.0, 10.0)  # between the end of one fault and the next
DRAIN_SECONDS = 180


class Soak:
    """Starts and breaks processes in the main thread only.

    The kernel ends a child process together with the thread that started it.
    """

    choices = [*NORMAL_REQUESTS, *POISON]

    def __init__(self, rig: Rig) -> None:
        from tests.faults.chaos import Chaos  # needs Django's settings

        self.rig, self.tally = rig, Tally()
        self.chaos = Chaos(rig, random.Random(SEED))
        self.recoveries: list[tuple[float, str]] = []

    def run(self) -> int:
        for name in ("dispatcher", "dispatcher", "web", "worker", "worker", "worker"):
            self.rig.start(name)
        print(f"seed {SEED}, {MINUTES:g} min, {self._plan()}", flush=True)
        self.began = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as clients:
            self.load = threading.Thread(target=self._load, args=[clients], daemon=True)
            self.load.start()
            while self._is_loading():
                self._break_and_mend()
            self._show("no more requests; waiting for the last jobs")
            ends = time.monotonic() + DRAIN_SECONDS
            while self._open() and time.monotonic() < ends:
                self._keep_alive()
            self.tally.over.set()  # clients that still wait give up
        return self._judge()

    def _plan(self) -> str:
        return f"{len(self.chaos.faults())} kinds of faults"

    def _load(self, clients: ThreadPoolExecutor) -> None:
        chance = random.Random(SEED)
        while self._seconds() < MINUTES * 60:
            self.tally.requested += 1
            clients.submit(Client(self.rig, self.tally, chance, self.choices).run)
            time.sleep(chance.expovariate(JOBS_A_SECOND))

    def _break_and_mend(self) -> None:
        """Run one fault, and wait until all affected jobs have ended."""
        self._wait(self.chaos.chance.uniform(*PAUSE_SECONDS))
        name = self.chaos.strike()
        healed = time.monotonic()
        affected = self.tally.healthy - set(self.tally.ended)
        while affected - set(self.tally.ended) and time.monotonic() < healed + DRAIN_SECONDS:
            self._keep_alive()
        took = time.monotonic() - healed
        self.recoveries.append((took, name))
        self._show(f"{name}; its {len(affected)} jobs ended within {took:.1f} s")

    def _is_loading(self) -> bool:
        return self.load.is_alive()

    def _wait(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self._keep_alive()

    def _keep_alive(self) -> None:
        time.sleep(0.1)
        for process in self.rig.processes:
            if not process.is_alive:
                time.sleep(1)
                process.start()

    def _open(self) -> int:
        return self.tally.requested - len(self.tally.ended)

    def _seconds(self) -> float:
        return time.monotonic() - self.began

    def _show(self, news: str) -> None:
        ended = len(self.tally.ended)
        clock = f"{int(self._seconds()) // 60:3}:{int(self._seconds()) % 60:02}"
        print(f"{clock}  requests {self.tally.requested:5}  ended {ended:5}  {news}", flush=True)

    def _judge(self) -> int:
        from jobs.models import DownloadJob
        from tests.faults.rig import assert_consistent_history, assert_one_object, until

        with suppress(AssertionError):  # what is left then is counted below
            until(lambda: not DownloadJob.objects.exclude(collect_at=None).exists(), 60)
        tally = self.tally
        duplicates, lost, ended = list(tally.duplicates), [], Counter(tally.ended.values())
        rows = {str(job.pk): job for job in DownloadJob.objects.select_related("artifact")}
        lost += [f"{job_id}: no row" for job_id in tally.accepted if job_id not in rows]
        for job_id, job in rows.items():
            if not job.is_finished:
                lost.append(f"{job_id}: {job.status}")
                continue
            try:
                assert_consistent_history(job)
                assert_one_object(job, tally.accepted.get(job_id, job.params["file_ids"]))
            except AssertionError as error:
                duplicates.append(f"{job_id}: {error}")
        figures = {
            "requests": tally.requested,
            "accepted": len(tally.accepted),
            **{status: ended[status] for status in ("completed", "failed", "cancelled")},
            "failed unexpectedly": len(tally.wrong),
            "lost": len(lost),
            "duplicates": len(duplicates),
            "500 responses": tally.answers[500],
            "503 responses": tally.answers[503],
            "faults": len(self.recoveries),
        }
        for name, value in figures.items():
            print(f"{name:24}{value:6}")
        longest = max(self.recoveries, default=(0.0, "none"))
        print(f"{'longest recovery':24}{longest[0]:6.1f} s, after: {longest[1]}")
        for line in [*duplicates, *lost, *tally.wrong]:
            print(line)
        missing = tally.requested - len(tally.accepted)
        return int(bool(lost or duplicates or tally.wrong or tally.answers[500] or missing))


if __name__ == "__main__":
    sys.exit(standalone.run(lambda rig: Soak(rig).run()))
