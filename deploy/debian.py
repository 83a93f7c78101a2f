"""Installs Debian packages without prompting. Uses only the standard library."""

from __future__ import annotations

import os
import shutil
import subprocess


def install(package: str) -> bool:
    """Install the package with apt, as root or with a sudo without password. True on success."""
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not shutil.which("apt-get") or (sudo and not _succeeds([*sudo, "true"])):
        return False
    apt = [*sudo, "apt-get", "-q", "-y"]
    subprocess.run([*apt, "update"])  # may fail, and the install still succeed
    return subprocess.run([*apt, "install", "--no-install-recommends", package]).returncode == 0


def _succeeds(command: list[str]) -> bool:
    if not shutil.which(command[0]):
        return False
    return subprocess.run(command, capture_output=True).returncode == 0
