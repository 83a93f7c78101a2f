"""Finds and installs the programs that generate load and measure limits."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.bench.figures import NotMeasured
from deploy import debian
from downloads_project.local.programs import postgres_programs, redis_program

BIN = Path(sys.executable).parent
PEER = Path(__file__).parent.parent / "peer"
DEBIAN = {"wrk": "wrk", "redis-benchmark": "redis-tools", "node": "nodejs", "npm": "npm"}
MIN_NODE = 20


def install() -> None:
    """Install what is missing, without prompting. Report programs that cannot be installed."""
    for program, package in DEBIAN.items():
        if not shutil.which(program) and not debian.install(package):
            print(f"{program} is missing: install Debian's {package}. Its cases are skipped.")
    lock, done = PEER / "package-lock.json", PEER / "node_modules/.package-lock.json"
    is_old = not done.exists() or done.stat().st_mtime < lock.stat().st_mtime
    if is_old and (npm := shutil.which("npm")):
        # Without scripts: one package would compile an optional accelerator.
        subprocess.run([npm, "ci", "--ignore-scripts", "--silent"], cwd=PEER)  # noqa: S603
        if done.exists():
            done.touch()


def program(name: str) -> str:
    """Return its path. Raises NotMeasured if it is missing."""
    found = shutil.which(name) or shutil.which(name, path=str(BIN))
    if not found:
        raise NotMeasured(f"{name} is not installed")
    return found


def node() -> str:
    """Return the path of Node. Raises NotMeasured without Node or the peer's packages."""
    path = program("node")
    if int(_output_of(path, "--version").strip("v").partition(".")[0]) < MIN_NODE:
        raise NotMeasured(f"Node is older than {MIN_NODE}")
    if not (PEER / "node_modules").exists():
        raise NotMeasured("the peer's packages are not installed: `npm ci` in benchmarks/peer")
    return path


def autocannon() -> list[str]:
    return [node(), str(PEER / "node_modules/autocannon/autocannon.js")]


def pgbench() -> str:
    pgbench = shutil.which("pgbench", path=str(postgres_programs()))
    return pgbench or program("pgbench")


def versions() -> dict[str, str]:
    """Return the versions of all programs and packages that are installed."""
    packages = ["django", "gunicorn", "celery", "psycopg", "redis", "boto3", "k6"]
    found = {name: version(name) for name in packages}
    found["python"] = sys.version.partition(" ")[0]
    found["postgres"] = _output_of(str(postgres_programs() / "postgres"), "--version").split()[2]
    found["valkey"] = _output_of(str(redis_program()), "--version").split()[2].removeprefix("v=")
    if node_path := shutil.which("node"):
        found["node"] = _output_of(node_path, "--version").strip().strip("v")
    if wrk := shutil.which("wrk"):
        found["wrk"] = _output_of(wrk, "-v").split()[1]
    return found | _peer_packages()


def _peer_packages() -> dict[str, str]:
    manifest = json.loads((PEER / "package.json").read_text())
    return {name: str(number) for name, number in manifest["dependencies"].items()}


def _output_of(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
    return done.stdout or done.stderr
