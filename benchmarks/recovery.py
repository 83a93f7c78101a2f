"""Measure how long the service takes to recover from five faults, with production's intervals.

`make recovery` starts its own servers, web, dispatcher and workers, and takes about four minutes.
The exit status is 1 if a limit was exceeded.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.faults import standalone

if TYPE_CHECKING:
    from tests.faults.rig import Rig

# The defaults of jobs.default_settings; those of the rig are shorter.
PRODUCTION = {
    "LEASE_SECONDS": "60",
    "BEAT_SECONDS": "1",
    "DISPATCH_EVERY_SECONDS": "1",
    "RING_AGAIN_SECONDS": "5",
    "WORKER_STOPS_SECONDS": "20",
    "COLLECT_EVERY_SECONDS": "300",
    "COLLECT_AGAIN_SECONDS": "7200",
}
SMALL = 70000
ROUNDS = 3  # the slowest counts; faults that wait for a lease run once


class Recovery:
    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.within_limits = True

    def run(self) -> int:
        self.rig.start("dispatcher")
        self.rig.start("web")
        print(f"{'fault':34}{'recovered when':34}{'seconds':>8}{'limit':>8}", flush=True)
        killed = max(self.pool_process_killed() for _ in range(ROUNDS))
        self.report("pool process killed", "its job is queued again", killed, 2)
        self.report("worker killed", "its job is claimed again", self.worker_killed(), 65)
        self.report(
            "worker stopped by SIGTERM", "it has ended, its job is queued", self.deploy(), 30
        )
        lost = max(self.redis_lost() for _ in range(ROUNDS))
        self.report("Redis lost with its data", "a queued job is claimed", lost, 10)
        slowest, thawed = self.redis_frozen()
        self.report("Redis frozen for 10 s", "slowest response to a POST", slowest, 0.3)
        self.report("", "after that, a job is claimed", thawed, 10)
        return int(not self.within_limits)

    def report(self, fault: str, recovery: str, seconds: float, limit: float) -> None:
        self.within_limits &= seconds <= limit
        print(f"{fault:34}{recovery:34}{seconds:8.2f}{limit:8}", flush=True)

    def pool_process_killed(self) -> float:
        from tests.faults.rig import slow
        from tests.live import children

        worker = self.rig.worker(**slow(60))
        job_id = self.rig.initiate(SMALL)
        self.rig.wait_for(job_id, "processing")
        for child in children(worker.popen.pid):
            os.kill(child, signal.SIGKILL)
        seconds = self.rig.timed(lambda: self.job(job_id).losses == 1)
        self.end(job_id, worker)
        return seconds

    def worker_killed(self) -> float:
        from tests.faults.rig import slow

        doomed = self.rig.worker(**slow(200))
        job_id = self.rig.initiate(SMALL)
        self.rig.wait_for(job_id, "processing")
        time.sleep(16)  # its lease has just been renewed: the worst case
        self.rig.kill(doomed)
        other = self.rig.worker(**slow(60))
        seconds = self.rig.timed(lambda: self.job(job_id).attempt == 2, 90)
        self.end(job_id, other)
        return seconds

    def deploy(self) -> float:
        from tests.faults.rig import slow

        worker = self.rig.worker(**slow(60))
        job_id = self.rig.initiate(SMALL)
        self.rig.wait_for(job_id, "processing")
        worker.popen.send_signal(signal.SIGTERM)
        seconds = self.rig.timed(lambda: not worker.is_alive)
        assert self.job(job_id).status == "queued", self.rig.story(job_id)
        self.end(job_id)
        return seconds

    def redis_lost(self) -> float:
        worker = self.rig.worker()
        self.rig.wait_for(self.rig.initiate(SMALL), "completed")
        self.rig.take_down("Redis")
        for log in Path(self.rig.servers["Redis"].log.parent, "redis").glob("appendonlydir*"):
            shutil.rmtree(log)
        ids = [self.rig.initiate(SMALL) for _ in range(5)]
        time.sleep(5)
        self.rig.bring_up("Redis")
        seconds = self.rig.timed(lambda: any(self.job(job_id).attempt for job_id in ids))
        self.rig.timed(lambda: self.rig.all_final(ids))
        self.end("", worker)
        return seconds

    def redis_frozen(self) -> tuple[float, float]:
        worker = self.rig.worker()
        self.rig.wait_for(self.rig.initiate(SMALL), "completed")
        redis = self.rig.servers["Redis"]
        self.rig.freeze(redis)
        self.rig.posts_seconds.clear()
        ids = []
        frozen_until = time.monotonic() + 10
        while time.monotonic() < frozen_until:
            ids.append(self.rig.initiate(SMALL))
            time.sleep(0.2)
        slowest = max(self.rig.posts_seconds)
        self.rig.thaw(redis)
        seconds = self.rig.timed(lambda: any(self.job(job_id).attempt for job_id in ids))
        self.rig.timed(lambda: self.rig.all_final(ids))
        self.end("", worker)
        return slowest, seconds

    def job(self, job_id: str):  # type: ignore[no-untyped-def] # Django is not set up yet
        from jobs.models import DownloadJob

        return DownloadJob.objects.get(pk=job_id)

    def end(self, job_id: str, *workers) -> None:  # type: ignore[no-untyped-def]
        """Cancel the job and stop the workers, before the next fault."""
        if job_id:
            self.rig.cancel(job_id)
        for worker in workers:
            self.rig.kill(worker)


if __name__ == "__main__":
    sys.exit(standalone.run(lambda rig: Recovery(rig).run(), PRODUCTION))
