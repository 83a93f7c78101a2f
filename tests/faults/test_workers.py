"""What happens to work when the process that does it dies, freezes, or is told to stop."""

from __future__ import annotations

import os
import signal

from jobs.models import DownloadJob
from tests.faults.rig import Rig, slow
from tests.live import children


def test_pool_process_killed(service: Rig) -> None:
    """SIGKILL to the pool processes of a worker while a job runs."""
    worker = service.worker(**slow(2))
    job_id = service.initiate(70000)
    service.wait_for(job_id, "processing")

    for child in children(worker.popen.pid):
        os.kill(child, signal.SIGKILL)
    rescued = DownloadJob.objects.filter(pk=job_id, losses=1)
    service.figure("until it was queued again", service.timed(rescued.exists), bound=2)

    service.judge()
    # Its worker's main process saw the death; nobody waited for the end of the lease.
    assert "rescue 1 worker" in service.story(job_id)


def test_poison_job(service: Rig) -> None:
    """A job whose builder kills its process each time, between five that do not."""
    service.worker()
    healthy = [service.initiate(70000) for _ in range(2)]
    poison = service.initiate(70004)
    healthy += [service.initiate(70000) for _ in range(3)]

    job = service.wait_for(poison, "failed")
    service.judge(outcomes={"completed", "failed"})

    assert job["errorCode"] == "worker_lost"
    service.figure("runs of the poison", job["attempts"], bound=3, unit="runs")
    assert service.statuses(healthy) == {"completed": 5}
