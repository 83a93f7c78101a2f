"""The outcome of the command: exit code, message for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from downloads_client.downloader import Downloader
from downloads_client.failures import INTERRUPTED, Failure, Gone, InternalError, Terminated
from downloads_client.formatting import format_printable
from downloads_client.service_responses import JobResponse


@dataclass(frozen=True)
class CommandOutcome:
    exit_code: int
    message: str = ""  # empty on success
    code: str = ""
    path: Path | None = None

    @classmethod
    def of(cls, error: BaseException) -> CommandOutcome:
        if isinstance(error, Failure):
            return cls(error.exit_code, str(error), error.code)
        if isinstance(error, Exception):
            # The message of the exception may hold a signed URL.
            message = f"This program has a bug ({type(error).__name__}): --traceback shows where."
            return cls(InternalError.exit_code, message, InternalError.code)
        if isinstance(error, Terminated):
            return cls(Terminated.exit_code, "Terminated.", "terminated")
        return cls(INTERRUPTED, "Interrupted.", "interrupted")

    def can_resume(self, job: JobResponse) -> bool:
        """Return True if running the command again with the job's id could succeed."""
        if self.exit_code in (0, Gone.exit_code):
            return False
        return job.is_active or job.status == "completed"

    def as_json(self, download: Downloader | None, resume_command: str) -> dict[str, Any]:
        job, result = (download.job, download.result) if download else (None, None)
        return {
            "exitCode": self.exit_code,
            "jobId": str(job.id) if job else None,
            "status": job.status if job else None,
            "path": str(self.path) if self.path else None,
            "size": result.size if result else None,
            "sha256": result.sha256 if result else None,
            "error": self.message or None,
            "errorCode": self.code or None,
            "goOn": resume_command or None,
        }


def wants_json_outcome(argv: list[str]) -> bool:
    """Return True if the arguments have `--json`, also abbreviated. They may be invalid."""
    options = argv[: argv.index("--")] if "--" in argv else argv
    names = [each.partition("=")[0] for each in options]
    return any(len(name) > len("--") and "--json".startswith(name) for name in names)


def cannot_start_outcome(error: BaseException, argv: list[str]) -> int:
    """Print why the program cannot start, before options are parsed. Returns the exit code."""
    message = format_printable(f"This program could not start: {type(error).__name__}: {error}")
    outcome = CommandOutcome(InternalError.exit_code, message, InternalError.code)
    with suppress(OSError, ValueError, AttributeError):  # closed streams are None
        sys.stderr.write(f"{message}\n")
    with suppress(OSError, ValueError, AttributeError):
        if wants_json_outcome(argv):
            sys.stdout.write(json.dumps(outcome.as_json(None, "")) + "\n")
            sys.stdout.flush()
    return outcome.exit_code
