"""`downloads upload` against the real service: resumed after a kill and a lost connection."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs import storage
from jobs.models import DownloadJob, IncomingUpload, StoredFile
from tests.client.terminal import environment, run, start
from tests.live import until
from tests.test_download_command import PASSWORD, Site

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CONTENT = os.urandom(20_000_000)  # three chunks
CHUNK = 8 * 1024 * 1024


@pytest.fixture(scope="module")
def the_site(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, made_bucket: None
) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"), dict(os.environ))
    site.live.start("worker")
    yield site
    site.close()


@pytest.fixture
def site(the_site: Site) -> Site:
    the_site.line.pass_on()
    return the_site


@pytest.fixture
def alice(db: None, settings: Any) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    return User.objects.create_user("alice", password=PASSWORD)


@pytest.fixture
def env(site: Site, alice: User, tmp_path: Path) -> dict[str, str]:
    return environment(**site.login(tmp_path))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "drone.bin"
    path.write_bytes(CONTENT)
    return path


def stored() -> StoredFile:
    row = StoredFile.objects.get(size_bytes=len(CONTENT))
    assert row.sha256 == sha256(CONTENT).hexdigest()
    with storage.bucket().open(row.key) as stream:
        assert stream.read() == CONTENT
    return row


def test_files_are_uploaded_processed_and_listed(
    site: Site, env: dict[str, str], file: Path
) -> None:
    done = run("upload", str(file), env=env)

    row = stored()
    assert (done.returncode, done.stdout) == (0, f"{row.file_id}\n"), done.stderr
    listed = run("jobs", "--kind=upload", "--json", env=env)
    (job,) = json.loads(listed.stdout)["results"]
    assert (job["status"], job["fileId"]) == ("completed", row.file_id)
    again = run("upload", str(file), env=env)
    assert (again.stdout, DownloadJob.objects.count()) == (done.stdout, 1)
    assert "Already uploaded: drone.bin" in again.stderr


def test_a_killed_upload_continues_with_the_missing_chunks(
    site: Site, env: dict[str, str], file: Path
) -> None:
    site.line.throttle(4_000_000)
    with start("upload", str(file), "--threads=1", env=env) as process:
        until(lambda: IncomingUpload.objects.filter(received=[0]).exists(), 60)
        process.send_signal(signal.SIGKILL)
    site.line.pass_on()
    before = site.line.bytes_to_server

    done = run("upload", str(file), env=env)

    assert done.returncode == 0, done.stderr
    assert "Resuming drone.bin after 8.4 MB of 20.0 MB" in done.stderr
    assert site.line.bytes_to_server - before < len(CONTENT) - CHUNK + 100_000
    stored()


def test_a_lost_connection_costs_no_more_than_the_chunks_in_flight(
    site: Site, env: dict[str, str], file: Path
) -> None:
    site.line.cut_after(5_000_000, times=2)

    done = run("upload", str(file), env=env)

    assert done.returncode == 0, done.stderr
    assert "Retrying..." in done.stderr
    stored()


def test_two_at_once_make_one_upload(site: Site, env: dict[str, str], file: Path) -> None:
    site.line.throttle(8_000_000)
    with start("upload", str(file), env=env) as first, start("upload", str(file), env=env) as other:
        said = [process.communicate(timeout=60) for process in (first, other)]

    row = stored()
    assert [out for out, _ in said] == [f"{row.file_id}\n"] * 2, said
    assert DownloadJob.objects.count() == 1


def test_ctrl_c_says_how_to_continue(site: Site, env: dict[str, str], file: Path) -> None:
    site.line.throttle(1_000_000)
    with start("upload", str(file), env=env) as process:
        until(IncomingUpload.objects.exists, 60)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "To resume, run the same command again." in said
