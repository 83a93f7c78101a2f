"""Kinds that make no file, several files, or that resume."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rest_framework import serializers

from jobs.kinds import Kind, Workspace
from jobs.models import DownloadJob


class Recount(Kind):
    """Does work and makes no file; notes what it did."""

    name = "recount"
    label = "Recount"
    makes_file = False

    def load(self, job: DownloadJob) -> None:
        return None

    def build(self, loaded: None, work: Workspace) -> None:
        work.plan(2, "warehouse items")
        work.advance(2)
        work.note(itemsCounted=2)


class Migrate(Kind):
    """Counts to ten and saves each number; waits at five while the file `gate` exists."""

    name = "migrate"
    label = "Migration"
    makes_file = False
    description = "Moves rows from one system to another."

    class Params(serializers.Serializer[Any]):
        gate = serializers.CharField(required=False)

    def load(self, job: DownloadJob) -> Path | None:
        return Path(job.params["gate"]) if "gate" in job.params else None

    def build(self, loaded: Path | None, work: Workspace) -> None:
        first = (work.checkpoint or {"next": 0})["next"]
        work.note(first=first)
        work.plan(10, "rows")
        work.advance(first)
        for number in range(first, 10):
            while number == 5 and loaded and loaded.exists():
                work.say("Waiting")
                time.sleep(0.05)
            work.advance(1)
            work.save_checkpoint({"next": number + 1})


class Ledger(Kind):
    """Makes a table, and beside it a summary and the rows that were left out."""

    name = "ledger"
    label = "Ledger"
    content_type = "text/csv"
    suffix = ".csv"
    roles = {"summary": "Summary", "left-out": "Rows left out"}

    def load(self, job: DownloadJob) -> None:
        return None

    def build(self, loaded: None, work: Workspace) -> None:
        with work.add_file("left-out", name="../left out.csv", content_type="text/csv") as left_out:
            left_out.write(b"3\n")
            work.output.write(b"1\n2\n")
        with work.add_file("summary", content_type="application/json") as summary:
            summary.write(b'{"rows": 2}')


class Faulty(Kind):
    """Has a bug that shows in the web, or in the worker, with what no report may contain."""

    name = "faulty"
    label = "Faulty"
    makes_file = False
    retry_delays = ()

    class Params(serializers.Serializer[Any]):
        place = serializers.CharField()

        def validate_place(self, place: str) -> str:
            return _break() if place == "web" else place

    def load(self, job: DownloadJob) -> None:
        return None

    def build(self, loaded: None, work: Workspace) -> None:
        _break()


def _break() -> str:
    password = "the-password"  # a local variable
    raise RuntimeError(f"https://data.example/a?signature=abc alice@example.org {len(password)}")
