"""Kinds that make no file, several files, or that resume."""

from __future__ import annotations

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
