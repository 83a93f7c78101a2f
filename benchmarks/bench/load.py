"""Generates load with wrk, autocannon and k6. All of them end with this process."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bench import processor_time, tools
from benchmarks.bench.figures import NotMeasured, Round
from jobs.lib.process_memory import die_with_parent

SCRIPTS = Path(__file__).parent / "scripts"
TIMEOUT_SECONDS = 30
SETTLE_SECONDS = 0.3  # work after the response, such as publishing, belongs to its request


@dataclass(frozen=True)
class Request:
    """A request that is repeated, with each of the tokens in turn."""

    url: str
    tokens: Sequence[str]
    method: str = "GET"
    body: str = ""
    etag: str = ""


def measure_round(
    request: Request, roots: processor_time.Roots, *, connections: int, seconds: float
) -> Round:
    """Run wrk. Returns its figures and the processor time of the process trees in `roots`."""
    before = processor_time.read(roots)
    figures = wrk(request, connections=connections, seconds=seconds)
    time.sleep(SETTLE_SECONDS)
    spent = processor_time.spent(before, processor_time.read(roots))
    if not figures["requests"] or figures["failed"] > figures["requests"] / 100:
        raise NotMeasured(
            f"{figures['failed']} of {figures['requests']} requests to {request.url} failed"
        )
    return Round(**figures, spent_ms=spent)


def wrk(request: Request, *, connections: int, seconds: float) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".tokens") as tokens:
        tokens.write("".join(f"{token}\n" for token in request.tokens))
        tokens.flush()
        command = [tools.program("wrk"), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
        # A slow response is no failure.
        command += ["--timeout", f"{TIMEOUT_SECONDS}s"]
        command += ["-s", str(SCRIPTS / "requests.lua"), request.url, "--"]
        command += [request.method, request.body, tokens.name, request.etag]
        output = _run(command)
    found = re.search(r"RESULT (.*)", output)
    if not found:
        raise NotMeasured(f"wrk failed: {output[-200:]}")
    return dict(json.loads(found[1]))


def autocannon(request: Request, *options: str) -> dict[str, Any]:
    """Run autocannon with the first token. Returns its report."""
    command = [*tools.autocannon(), "--json", "--no-progress", "-m", request.method]
    command += ["-H", f"Authorization: Bearer {request.tokens[0]}", *options]
    if request.body:
        command += ["-H", "Content-Type: application/json", "-b", request.body]
    return dict(json.loads(_run([*command, request.url])))


def k6(script: str, env: Mapping[str, str]) -> dict[str, Any]:
    """Run a script of k6. Returns its summary."""
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder) / "summary.json"
        command = [tools.program("k6"), "run", "--quiet", "--no-usage-report", "--log-output=none"]
        command += ["--summary-export", str(summary)]
        command += [word for name, value in env.items() for word in ("-e", f"{name}={value}")]
        output = _run([*command, str(SCRIPTS / script)])
        if not summary.exists():
            raise NotMeasured(f"k6 failed: {output[-200:]}")
        return dict(json.loads(summary.read_text()))


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if "wrk" in command[0] else subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,  # from the main thread only
    )
    return done.stdout or done.stderr or ""
