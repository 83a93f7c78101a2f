"""The limits of Postgres and Redis on this machine: no service can be faster."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
from tempfile import NamedTemporaryFile
from urllib.parse import urlsplit

import psycopg

from benchmarks.bench import processor_time, tools
from benchmarks.bench.figures import PROCESSOR_TIME, RATE, NotMeasured, Result
from benchmarks.bench.rig import Rig
from jobs.lib.process_memory import die_with_parent

# A row as wide as a job's, with two indexes.
TABLE = """
DROP TABLE IF EXISTS benchmark_of_inserts;
CREATE TABLE benchmark_of_inserts
  (id uuid PRIMARY KEY, owner int, body text, created_at timestamptz);
CREATE INDEX ON benchmark_of_inserts (owner, created_at DESC);
"""
INSERT = """
INSERT INTO benchmark_of_inserts VALUES (gen_random_uuid(), random() * 50, repeat('x', 600), now());
"""


def limits(rig: Rig) -> Result:
    """Inserts by pgbench, commands by redis-benchmark. aria2c: `make bench-remote`."""
    result = Result()
    with rig.quiet():
        _inserts(rig, result)
        _commands(rig, result)
    return result


def _inserts(rig: Rig, result: Result) -> None:
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE)
    roots = rig.service.roots("postgres")
    with NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(INSERT)
        script.flush()
        command = [tools.pgbench(), "-n", "-c", str(rig.sizes.connections), "-M", "prepared"]
        command += ["-T", str(rig.sizes.limit_seconds), "-f", script.name, url]
        before = processor_time.read(roots)
        output = _run(command)
        spent = processor_time.spent(before, processor_time.read(roots))["postgres"]
    done = re.search(r"transactions actually processed: (\d+)", output)
    rate = re.search(r"tps = ([\d.]+)", output)
    if not done or not rate:
        raise NotMeasured(f"pgbench failed: {output[-200:]}")
    result.add(f"pgbench inserts: {RATE}", "/s", float(rate[1]), contender="limit")
    result.add(f"pgbench inserts: {PROCESSOR_TIME}", "ms", spent / int(done[1]), contender="limit")


def _commands(rig: Rig, result: Result) -> None:
    parts = urlsplit(os.environ["REDIS_URL"])
    command = [tools.program("redis-benchmark"), "-p", str(parts.port), "-a", parts.password or ""]
    command += ["-c", str(rig.sizes.many_connections), "-n", str(20_000 * rig.sizes.limit_seconds)]
    output = _run([*command, "-t", "set,get", "--csv", "-q"])
    lines = [line for line in output.splitlines() if line.startswith('"')]
    for name, rate, *_ in csv.reader(io.StringIO("\n".join(lines))):
        if name in ("SET", "GET"):
            result.add(f"redis-benchmark {name}: {RATE}", "/s", float(rate), contender="limit")


def _run(command: list[str]) -> str:
    done = subprocess.run(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=die_with_parent,  # from the main thread only
    )
    return done.stdout
