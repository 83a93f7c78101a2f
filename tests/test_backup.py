"""The commands of docs/backup.md bring everything back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile

from downloads_project.local.programs import postgres_programs
from jobs import storage
from jobs.kinds.registry import kind_folder
from jobs.models import DownloadJob, StoredFile
from jobs.states import Status
from tests.factories import ArtifactFactory, JobFactory, store
from tests.live import ROOT, on_this_database
from tests.test_docs import blocks_of

pytestmark = pytest.mark.django_db(transaction=True)

TABLES = (
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)
NAMES = """
    SELECT relname FROM pg_class WHERE relkind = 'i' AND relnamespace = 'public'::regnamespace
    UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'jobs%'
"""


class Operator:
    """Runs the blocks of the page in a folder, with buckets and a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        backup, copy, restore = (
            block for block in blocks_of(ROOT / "docs/backup.md") if block.language
        )
        self.backup, self.restore = backup.text, restore.text
        (folder / "copy_bucket.py").write_text(copy.text)
        for name in ("manage.py", "downloads_project", "jobs"):
            (folder / name).symlink_to(ROOT / name)
        name = f"restored_{uuid4().hex[:8]}"
        self.bucket = name.replace("_", "-")
        path = [str(postgres_programs()), str(Path(sys.executable).parent), os.environ["PATH"]]
        self.env = os.environ | on_this_database() | {"PATH": os.pathsep.join(path)}
        self.env |= {"BACKUP_BUCKET": f"{self.bucket}-backup", "PYTHONPATH": str(ROOT)}
        servers, _, _ = self.env["DATABASE_URL"].rpartition("/")
        self.admin_url, self.restored_url = f"{servers}/postgres", f"{servers}/{name}"

    def back_up(self) -> None:
        client().create_bucket(Bucket=self.env["BACKUP_BUCKET"])
        self._run(self.backup)

    def restore_elsewhere(self) -> str:
        """Restore into an empty database and bucket. Return what the commands print."""
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self.restored_url.rpartition('/')[2]}")
        client().create_bucket(Bucket=self.bucket)
        self.env |= {"DATABASE_URL": self.restored_url, "S3_BUCKET": self.bucket}
        return self._run(self.restore)

    def run(self, command: str) -> str:
        return self._run(command)

    def content(self) -> tuple[dict[str, int], list[str]]:
        """Return the tables with the number of their rows, and the names of all else."""
        with psycopg.connect(self.env["DATABASE_URL"]) as connection:
            rows = {
                table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for (table,) in connection.execute(TABLES).fetchall()
            }
            return rows, sorted(name for (name,) in connection.execute(NAMES).fetchall())

    def _run(self, script: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def client() -> Any:
    return storage.bucket().client


@pytest.fixture
def desk(tmp_path: Path, bucket: Any) -> Iterator[Operator]:
    storage.delete_all_objects_but([], prefix="")
    if not (postgres_programs() / "pg_dump").exists() and not shutil.which("pg_dump"):
        pytest.skip("needs pg_dump")
    operator = Operator(tmp_path)
    yield operator
    with psycopg.connect(operator.admin_url, autocommit=True) as connection:
        name = operator.restored_url.rpartition("/")[2]
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def completed(owner: User, bucket: Any) -> StoredFile:
    job = JobFactory(owner=owner, status=Status.COMPLETED, artifact=None)
    key = f"{kind_folder(job)}1/Größe & more.zip"
    artifact: StoredFile = ArtifactFactory(owner=owner, key=key, made_by=job)
    DownloadJob.objects.filter(pk=job.pk).update(artifact=artifact)
    bucket.save(key, ContentFile(b"hello"))
    return artifact


def test_everything_comes_back(desk: Operator, alice: User, bucket: Any) -> None:
    completed(alice, bucket)
    store(70_000, "a.txt", b"0123456789" * 1_000_000)
    JobFactory(owner=alice, status=Status.PROCESSING)
    before = desk.content()

    desk.back_up()
    printed = desk.restore_elsewhere()

    assert desk.content() == before
    assert "2 files and 2 objects: no difference" in printed
    assert "no difference" in desk.run("python manage.py audit_storage --sums")


def test_what_changed_between_dump_and_copy_is_repaired(
    desk: Operator, alice: User, bucket: Any
) -> None:
    """A job that expires before its object is copied, and one that completes after the dump."""
    gone = completed(alice, bucket)
    dump, copy = desk.backup.splitlines()
    client().create_bucket(Bucket=desk.env["BACKUP_BUCKET"])

    desk.run(dump)
    bucket.delete(gone.key)
    unknown = completed(alice, bucket)
    desk.run(copy)
    printed = desk.restore_elsewhere()

    assert f"job {gone.made_by_id} expired" in printed
    assert f"{unknown.key}  deleted" in printed
    assert "0 files and 0 objects: no difference" in desk.run("python manage.py audit_storage")
