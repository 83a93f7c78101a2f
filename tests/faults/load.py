"""Clients that retry with a key until they get a 202, while a case breaks something."""

from __future__ import annotations

import threading
import time
from collections import Counter
from types import TracebackType
from typing import Any

import requests

from tests.faults.rig import Rig

PAUSE_SECONDS = 0.5  # between two requests of one client
TIMEOUT_SECONDS = 5  # then the request is repeated with the same key


class Load:
    """A context manager in which clients post one job after another, each with a new key.

    A request without a response is repeated with its key, to the web process that was started last.
    `rig.accepted` has the accepted jobs; the exit waits for the last responses.
    """

    def __init__(self, rig: Rig, clients: int, file_id: int = 70000) -> None:
        self.rig, self.file_id = rig, file_id
        self.failed: Counter[str] = Counter()  # attempts without a response, by error
        self.answers: Counter[int] = Counter()
        self.replayed = 0
        self._enough = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._post_on, args=[n], daemon=True) for n in range(clients)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads), (
            "a client has no response yet"
        )

    def _post_on(self, client: int) -> None:
        session = requests.Session()
        session.headers.update(self.rig.session.headers)
        number = 0
        while not self._enough.wait(PAUSE_SECONDS):
            number += 1
            self._retry(session, key=f"client-{client}-{number}")

    def _retry(self, session: requests.Session, *, key: str) -> None:
        ends = time.monotonic() + 50
        while time.monotonic() < ends:
            try:
                answer = self._post(session, key)
            except requests.RequestException as error:
                with self._lock:
                    self.failed[type(error).__name__] += 1
            else:
                if answer.status_code == 202:
                    return
            time.sleep(PAUSE_SECONDS)

    def _post(self, session: requests.Session, key: str) -> Any:
        began = time.monotonic()
        answer = session.post(
            f"{self.rig.url}/v1/download/initiate",
            json={"file_ids": [self.file_id]},
            headers={"Idempotency-Key": key},
            timeout=TIMEOUT_SECONDS,
        )
        with self._lock:
            self.answers[answer.status_code] += 1
            self.rig.answers[answer.status_code] += 1
            self.rig.posts_seconds.append(time.monotonic() - began)
            if answer.status_code == 202:
                self.rig.accepted[answer.json()["jobId"]] = [self.file_id]
                self.replayed += "Idempotency-Replayed" in answer.headers
        return answer
