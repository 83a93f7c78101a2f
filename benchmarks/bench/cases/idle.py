"""What the service uses while it is idle."""

from __future__ import annotations

import time

from benchmarks.bench import processor_time
from benchmarks.bench.figures import Result
from benchmarks.bench.rig import Rig

OURS = ("web", "worker", "dispatcher")
SETTLES_SECONDS = 3  # after the start
PROCESSOR = "processor, of one core"


def idle(rig: Rig) -> Result:
    """What do web, worker and dispatcher use when nothing happens?"""
    roots = rig.service.roots(*OURS, "postgres", "redis", "s3")
    time.sleep(min(SETTLES_SECONDS, rig.sizes.idle_seconds))
    before = processor_time.read(roots)
    time.sleep(rig.sizes.idle_seconds)
    spent = processor_time.spent(before, processor_time.read(roots))
    percent = {name: ms / rig.sizes.idle_seconds / 10 for name, ms in spent.items()}
    result = Result()
    result.add(PROCESSOR, "%", sum(percent[name] for name in OURS))
    for name, share in percent.items():
        result.add(name, "%", share)
    return result
