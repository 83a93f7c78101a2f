"""A sample job for a service that has just started: a bundle, downloaded and verified."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import requests

from downloads_project.processes import StackError

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
SAMPLE_FILE_IDS = [70_000 + n for n in range(14)]


def run_sample_job(url: str, logins: dict[str, str], folder: Path) -> int:
    """Download a bundle with the client and verify it. Returns the client's exit code."""
    ids = map(str, SAMPLE_FILE_IDS)
    command = [sys.executable, str(MANAGE), "download", *ids, "--force", "--output", f"{folder}/"]
    # No stdin: Ctrl-C stops the service, so the client need not offer to cancel the job.
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    archive = done.stdout.rstrip("\n")
    print(archive, flush=True)
    if done.returncode == 0:
        _verify(archive, url, logins)
    return done.returncode


def _verify(archive: str, url: str, logins: dict[str, str]) -> None:
    """Compare the SHA-256 of each member with that of its source. Raises StackError."""
    with ZipFile(archive) as bundle:
        members = [bundle.read(name) for name in bundle.namelist()]
    found = [hashlib.sha256(member).hexdigest() for member in members]
    login = {"username": logins["user"], "password": logins["password"]}
    with requests.Session() as session:
        token = session.post(f"{url}/v1/auth/token", json=login, timeout=10).json()["access"]
        session.headers["Authorization"] = f"Bearer {token}"
        check = f"{url}/v1/download/check"
        sources = [session.post(check, json={"file_id": n}, timeout=10) for n in SAMPLE_FILE_IDS]
    if found != [source.json().get("sha256") for source in sources]:
        raise StackError(f"The members of {archive} differ from their sources.")
    print(f"All {len(found)} members have the SHA-256 of their sources", flush=True)
