"""Clients that accept and record any response while a case breaks something."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

import requests

from tests.faults.rig import Rig


class Crowd:
    """A context manager with three clients: one posts, one polls, one checks the health.

    `answers` counts the status codes by request, `slowest` has the longest times in seconds.
    """

    def __init__(self, rig: Rig, *file_ids: int, every: float = 0.3) -> None:
        self._rig, self._file_ids, self._every = rig, list(file_ids), every
        self.answers: dict[str, Counter[int]] = {}
        self.slowest: dict[str, float] = {}
        self._last_job = ""
        self._over = threading.Event()
        self._errors: list[Exception] = []
        asks = (self._post, self._poll, self._health)
        self._threads = [threading.Thread(target=self._go_on, args=[ask]) for ask in asks]

    def __enter__(self) -> Crowd:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        for failed in self._errors:  # there was no response, which no case allows
            raise failed

    @property
    def refused(self) -> int:
        return sum(self.answers[what][503] for what in ("post", "poll"))

    def statuses(self, what: str) -> set[int]:
        return set(self.answers.get(what, {}))

    def _go_on(self, ask: Callable[[requests.Session], requests.Response | None]) -> None:
        what = ask.__name__.strip("_")
        answers = self.answers.setdefault(what, Counter())
        with requests.Session() as session:
            session.headers.update(self._rig.session.headers)
            while not self._over.is_set():
                began = time.monotonic()
                try:
                    answer = ask(session)
                except requests.RequestException as error:
                    self._errors.append(error)
                    return
                if answer is not None:
                    answers[answer.status_code] += 1
                    took = time.monotonic() - began
                    self.slowest[what] = max(self.slowest.get(what, 0.0), took)
                self._over.wait(self._every)

    def _post(self, session: requests.Session) -> requests.Response:
        answer = session.post(
            f"{self._rig.url}/v1/download/initiate", json={"file_ids": self._file_ids}, timeout=40
        )
        self._rig.answers[answer.status_code] += 1
        if answer.status_code == 202:
            self._last_job = answer.json()["jobId"]
            self._rig.accepted[self._last_job] = self._file_ids
        return answer

    def _poll(self, session: requests.Session) -> requests.Response | None:
        if not self._last_job:
            return None
        url = f"{self._rig.url}/v1/download/status/{self._last_job}"
        answer = session.get(url, timeout=40)
        self._rig.answers[answer.status_code] += 1
        return answer

    def _health(self, session: requests.Session) -> requests.Response:
        return session.get(f"{self._rig.url}/health", timeout=40)
