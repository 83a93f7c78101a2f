"""Find Chromium for tests. As a program, install it if possible."""

from __future__ import annotations

import os
import shutil

import pytest

from deploy.debian import install

NAMES = ("chromium", "chromium-browser", "google-chrome")
IS_REQUIRED = "REQUIRE_BROWSER"  # set in .ci/run: tests fail without Chromium, not skipped


def path() -> str:
    """Return its path. Without it, skip the test, or fail if a browser is required."""
    if not (found := _find()):
        give_up = pytest.fail if os.environ.get(IS_REQUIRED) else pytest.skip
        give_up("no Chromium on this machine")
    return found


def main() -> None:
    if not _find() and not install("chromium"):
        print("The browser tests are skipped without Chromium. Install Debian's chromium.")


def _find() -> str:
    return next(filter(None, map(shutil.which, NAMES)), "")


if __name__ == "__main__":
    main()
