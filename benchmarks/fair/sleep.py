"""Kinds whose jobs sleep, so that their duration is known."""

from __future__ import annotations

import time
from typing import Any

from rest_framework import serializers

from jobs.kinds import Kind, Workspace
from jobs.models import DownloadJob

LONGEST_SECONDS = 10.0


class Sleep(Kind):
    """Sleeps and makes no file. Its total is the time, so that estimates are of the job's own."""

    name = "sleep"
    label = "Sleep"
    makes_file = False

    class Params(serializers.Serializer[Any]):
        seconds = serializers.FloatField(min_value=0, max_value=LONGEST_SECONDS)

    def load(self, job: DownloadJob) -> float:
        return float(job.params["seconds"])

    def build(self, loaded: float, work: Workspace) -> None:  # noqa: ARG002
        time.sleep(loaded)


class Pausable(Sleep):
    """The same, as a kind of its own that can be paused."""

    name = "pausable"
    label = "Pausable"
