"""How a download ended, as people and as programs are told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.client.errand import Errand
from jobs.client.errors import INTERRUPTED, Failure, Gone, Terminated
from jobs.client.told import Job


@dataclass(frozen=True)
class Ending:
    exit_code: int
    sentence: str = ""  # empty when all went well
    code: str = ""
    path: Path | None = None

    @classmethod
    def of(cls, error: BaseException) -> Ending:
        if isinstance(error, Failure):
            return cls(error.exit_code, str(error), error.code)
        if isinstance(error, Terminated):
            return cls(Terminated.exit_code, "Told to stop.", "terminated")
        return cls(INTERRUPTED, "Interrupted.", "interrupted")

    def may_go_on(self, job: Job) -> bool:
        """Whether the same download, asked for by its id, could still end well."""
        if self.exit_code in (0, Gone.exit_code):
            return False
        return job.is_active or job.status == "completed"

    def as_json(self, errand: Errand | None, go_on: str) -> dict[str, Any]:
        job, result = (errand.job, errand.result) if errand else (None, None)
        return {
            "exitCode": self.exit_code,
            "jobId": str(job.id) if job else None,
            "status": job.status if job else None,
            "path": str(self.path) if self.path else None,
            "size": result.size if result else None,
            "sha256": result.sha256 if result else None,
            "error": self.sentence or None,
            "errorCode": self.code or None,
            "goOn": go_on or None,
        }
