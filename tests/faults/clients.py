"""Clients of the soak test: each creates one job and polls it until it ends."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from tests.faults.rig import Rig

POLL_SECONDS = 1.0
# Requests: file ids, the expected final statuses, and a weight.
Requests = list[tuple[tuple[int, ...], set[str], int]]
NORMAL_REQUESTS: Requests = [
    ((70000,), {"completed"}, 70),
    ((70000, 70001, 70002), {"completed"}, 20),
    ((70007,), {"failed"}, 4),  # a bug in the builder
]
POISON: Requests = [((70004,), {"failed"}, 1)]  # kills its process at each attempt
CANCELLED = 0.05  # share of the jobs that their owner cancels at a random moment


@dataclass
class Tally:
    """Counts of responses and outcomes."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)
    requested: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    accepted: dict[str, list[int]] = field(default_factory=dict)  # job id -> file ids
    duplicates: list[str] = field(default_factory=list)  # two jobs for one idempotency key
    healthy: set[str] = field(default_factory=set)  # jobs that are expected to complete
    ended: dict[str, str] = field(default_factory=dict)  # job id -> final status
    wrong: list[str] = field(default_factory=list)


class Client:
    """One job, from the first request to its end."""

    def __init__(self, rig: Rig, tally: Tally, chance: random.Random, choices: Requests) -> None:
        self.url, self.tally = f"{rig.url}/v1/download", tally
        self.headers = dict(rig.session.headers)
        weights = [weight for *_, weight in choices]
        self.files, self.expected, _ = chance.choices(choices, weights)[0]
        self.cancel_after = chance.uniform(0, 4) if chance.random() < CANCELLED else None
        self.key = uuid.UUID(int=chance.getrandbits(128)).hex

    def run(self) -> None:
        body = {"file_ids": list(self.files)}
        answer = self._retry_until("POST", "initiate", {202}, json=body, key=self.key)
        job_id = str(answer.json()["jobId"])
        with self.tally.lock:
            self.tally.accepted[job_id] = list(self.files)
            if "failed" not in self.expected:
                self.tally.healthy.add(job_id)
        again = self._retry_until("POST", "initiate", {202}, json=body, key=self.key)
        with self.tally.lock:
            if again.json()["jobId"] != job_id:
                self.tally.duplicates.append(f"{self.key}: two jobs")
        if self.cancel_after is not None:
            time.sleep(self.cancel_after)
            if self._retry_until("DELETE", job_id, {200, 409}).status_code == 200:
                self.expected = {"cancelled"}
        while (status := self._poll(job_id)) in ("queued", "processing"):
            time.sleep(POLL_SECONDS)
        with self.tally.lock:
            self.tally.ended[job_id] = status
            if status not in self.expected:
                self.tally.wrong.append(f"{job_id}: {status}, not {self.expected}")

    def _poll(self, job_id: str) -> str:
        return str(self._retry_until("GET", f"status/{job_id}", {200}).json()["status"])

    def _retry_until(
        self, method: str, path: str, statuses: set[int], *, key: str = "", **options: Any
    ) -> requests.Response:
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        while not self.tally.over.is_set():
            try:
                answer = requests.request(
                    method, f"{self.url}/{path}", headers=headers, timeout=30, **options
                )
            except requests.RequestException:  # the web process died or is frozen
                time.sleep(0.5)
                continue
            with self.tally.lock:
                self.tally.answers[answer.status_code] += 1
            if answer.status_code in statuses:
                return answer
            time.sleep(0.5)
        raise TimeoutError("the soak is over")
