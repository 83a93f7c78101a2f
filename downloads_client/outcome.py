"""How a download ended, as people and as programs are told."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from downloads_client.download import Errand
from downloads_client.errors import INTERRUPTED, Broken, Failure, Gone, Terminated
from downloads_client.formatting import printable
from downloads_client.responses import Job


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
        if isinstance(error, Exception):
            # Its own words may hold an address that nobody may see.
            sentence = f"This program has a bug ({type(error).__name__}): --traceback shows where."
            return cls(Broken.exit_code, sentence, Broken.code)
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


def wants_json(argv: list[str]) -> bool:
    """Return whether an invalid command line asks for JSON. The option may be abbreviated."""
    options = argv[: argv.index("--")] if "--" in argv else argv
    names = [each.partition("=")[0] for each in options]
    return any(len(name) > len("--") and "--json".startswith(name) for name in names)


def cannot_start(error: BaseException, argv: list[str]) -> int:
    """Print why the program cannot start, before options are parsed. Returns the exit code."""
    sentence = printable(f"This program cannot start: {type(error).__name__}: {error}")
    end = Ending(Broken.exit_code, sentence, Broken.code)
    with suppress(OSError, ValueError, AttributeError):  # closed streams are None
        sys.stderr.write(f"{sentence}\n")
    with suppress(OSError, ValueError, AttributeError):
        if wants_json(argv):
            sys.stdout.write(json.dumps(end.as_json(None, "")) + "\n")
            sys.stdout.flush()
    return end.exit_code
