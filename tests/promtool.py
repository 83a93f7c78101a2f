"""Prometheus' promtool, which checks rules. As a program, fetch it from Debian if possible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

IS_REQUIRED = "REQUIRE_PROMTOOL"  # set in .ci/run, where tests must not be skipped
# In the virtual environment: the package itself would start a server.
UNPACKED = Path(sys.prefix) / "prometheus"


def path() -> str:
    """Return the path of promtool. Without it, skip the test, or fail if it is required."""
    if not (found := _find()):
        give_up = pytest.fail if os.environ.get(IS_REQUIRED) else pytest.skip
        give_up("promtool is not installed")
    return found


def main() -> None:
    if not _find() and not _fetch():
        print("The rules for Prometheus are not tested without promtool, of Debian's prometheus.")


def _find() -> str:
    return shutil.which("promtool") or shutil.which(UNPACKED / "usr/bin/promtool") or ""


def _fetch() -> bool:
    """Download Debian's package and unpack it, without installing it."""
    if not shutil.which("apt-get"):
        return False
    with tempfile.TemporaryDirectory() as folder:
        download = ["apt-get", "-q", "download", "prometheus"]
        if subprocess.run(download, cwd=folder).returncode:
            subprocess.run(["apt-get", "-q", "update"])  # a machine without lists of packages
            subprocess.run(download, cwd=folder)
        for package in Path(folder).glob("prometheus_*.deb"):
            subprocess.run(["dpkg", "-x", package, UNPACKED])
    return bool(_find())


if __name__ == "__main__":
    main()
