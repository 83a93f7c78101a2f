"""Faults of the soak test in random order, the least frequent first."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.faults.rig import Rig
from tests.live import children


class Chaos:
    """The faults. Each breaks something, and returns when it is repaired."""

    def __init__(self, rig: Rig, chance: random.Random) -> None:
        self.rig, self.chance = rig, chance
        self.struck: Counter[str] = Counter()

    def strike(self) -> str:
        """Run one of the least frequent faults."""
        faults = self.faults()
        least = min(self.struck[name] for name in faults)
        name = self.chance.choice([name for name in faults if self.struck[name] == least])
        faults[name]()
        self.struck[name] += 1
        return name

    def faults(self) -> dict[str, Callable[[], None]]:
        every: dict[str, Callable[[], None]] = {
            "a pool process is killed": self._kill_pool_process,
            "a worker is killed": lambda: self.rig.kill(self._one("worker")),
            "a worker is told to stop": lambda: self._one("worker").ask_to_stop(),
            "a worker is frozen for 6 s": lambda: self._freeze(self._one("worker"), 6),
            "the web is killed": lambda: self.rig.kill(self._one("web")),
            "a dispatcher is killed": lambda: self.rig.kill(self._one("dispatcher")),
            "a dispatcher is frozen for 6 s": lambda: self._freeze(self._one("dispatcher"), 6),
            "Redis is flushed": self.rig.redis.flushdb,
        }
        for name, server in self.rig.servers.items():
            every[f"{name} is killed and back after 2 s"] = lambda n=name: self.rig.restart(n, 2)
            every[f"{name} is frozen for 5 s"] = lambda s=server: self._freeze(s, 5)
        for name, line in self.rig.lines.items():
            every[f"the connections to {name} are reset"] = line.reset
            every[f"the connections to {name} hang"] = lambda one=line: self._hang(one)
            every[f"the connections to {name} are slow for 5 s"] = lambda one=line: self._slow(one)
        every["the file store refuses a third of the requests"] = self._refuse
        return every

    def _one(self, name: str) -> Any:
        alive = [each for each in self.rig.processes if each.name == name and each.is_alive]
        return self.chance.choice(alive) if alive else self.rig.processes[0]

    def _kill_pool_process(self) -> None:
        if pool := children(self._one("worker").popen.pid):
            os.kill(self.chance.choice(pool), signal.SIGKILL)

    def _freeze(self, process: Any, seconds: float) -> None:
        self.rig.freeze(process)
        time.sleep(seconds)
        self.rig.thaw(process)

    def _hang(self, line: Any) -> None:
        line.blackhole()
        time.sleep(2)
        line.pass_on()
        line.reset()  # as a firewall that has dropped the connections

    def _slow(self, line: Any) -> None:
        line.delay(0.1)
        time.sleep(5)
        line.pass_on()

    def _refuse(self) -> None:
        line = self.rig.lines["S3"]
        line.answer_errors(0.3, seed=self.chance.randrange(1000))
        time.sleep(5)
        line.pass_on()
