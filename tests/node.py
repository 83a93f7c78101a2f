"""Node and npm, which build examples/react. As a program, install them if possible."""

from __future__ import annotations

import os
import shutil

import pytest

from deploy.debian import install

IS_REQUIRED = "REQUIRE_NODE"  # set in .ci/run: tests fail without Node, not skipped
PROGRAMS = {"node": "nodejs", "npm": "npm"}  # and their Debian packages


def npm_path() -> str:
    """Return the path of npm. Without it or Node, skip the test, or fail if they are required."""
    if _missing():
        give_up = pytest.fail if os.environ.get(IS_REQUIRED) else pytest.skip
        give_up("no Node on this machine")
    return shutil.which("npm") or ""


def main() -> None:
    if not all([install(package) for package in _missing()]):
        print("The React example is not tested without Node. Install Debian's nodejs and npm.")


def _missing() -> list[str]:
    """Return the packages of the programs that are not there."""
    return [package for name, package in PROGRAMS.items() if not shutil.which(name)]


if __name__ == "__main__":
    main()
