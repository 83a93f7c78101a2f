"""One round: schemathesis tests the whole document against a running service, as one caller.

Runs as a process of its own, because schemathesis hooks into pytest and hypothesis.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.live import BIN, ROOT

CONFIG = Path(__file__).with_name("schemathesis.toml")
# Of the service's processes: `start` must not block other requests, and no request may get a 429,
# which would hide other responses.
ENV = {
    "START_WAITS_SECONDS": "1",
    "RATE_INITIATE": "",
    "RATE_POLL": "",
    "RATE_SIGN_IN": "",
    # Links lead nowhere: to a closed port, except the document's own example, whose name does not
    # resolve.
    "REMOTE_PORTS": "1",
    "REMOTE_ALLOWED_PRIVATE_HOSTS": "data.example",
    "MAX_ACTIVE_JOBS": "1000000",
    "MAX_QUEUED_JOBS": "1000000",
}


@dataclass(frozen=True)
class Round:
    caller: str
    seed: int
    requests: int
    operations: int
    failures: int
    seconds: float
    output: str

    def __str__(self) -> str:
        return (
            f"seed {self.seed:<4} {self.caller:8} {self.requests:6} requests"
            f" {self.operations:3} operations {self.failures:3} failures {self.seconds:6.1f} s"
        )


def play(
    url: str, folder: Path, *, caller: str, token: str = "", seed: int, options: list[str]
) -> Round:
    """Run schemathesis with these command-line `options`. Writes its logs to `folder`."""
    name = f"fuzz-{caller}-{seed}"
    report = folder / f"{name}.json"
    command = [
        *[str(BIN / "st"), "--config-file", str(CONFIG), "--no-color", "run", f"{url}/openapi"],
        *["--url", url, "--seed", str(seed), "--report", "json", "--report-json-path", str(report)],
        *(["--header", f"Authorization: Bearer {token}"] if token else []),
        *options,
    ]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    (folder / f"{name}.log").write_text(done.stdout)
    if not report.exists():
        sys.exit(f"schemathesis could not run\n{done.stdout}")
    return _judged(json.loads(report.read_text()), done, caller, seed)


def _judged(
    report: dict[str, dict[str, int]],
    done: subprocess.CompletedProcess[str],
    caller: str,
    seed: int,
) -> Round:
    cases, operations = report["test_cases"], report["operations"]
    failures = cases["unique_failures"] + cases["errored"] + operations["errored"]
    return Round(
        caller=caller,
        seed=seed,
        requests=cases["generated"],
        operations=operations["tested"],
        # The exit status decides: it includes errors that have no count.
        failures=max(failures, int(done.returncode != 0)),
        seconds=float(report["running_time"]),  # type: ignore[arg-type]
        output=done.stdout,
    )
