"""Migrations of existing rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from jobs.engine import submission_sql
from jobs.models import IncomingUpload
from jobs.states import Status
from tests.factories import JobFactory

pytestmark = pytest.mark.django_db(transaction=True)


def migrate(name: str) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([("jobs", name)])


@pytest.fixture
def latest() -> Iterator[str]:
    """Return the name of the last migration; migrates to it afterwards."""
    ((_, name),) = MigrationExecutor(connection).loader.graph.leaf_nodes("jobs")
    yield name
    migrate(name)


def test_uploads_and_their_permissions_survive_the_renaming(alice: User, latest: str) -> None:
    migrate("0012_ended_token_family")
    executor = MigrationExecutor(connection)
    before = executor.loader.project_state([("jobs", "0012_ended_token_family")]).apps
    upload_id = uuid4()
    before.get_model("jobs", "Upload").objects.create(
        id=upload_id, owner_id=alice.pk, name="a.bin", size_bytes=10, chunk_bytes=5, received=[0]
    )
    content_type, _ = ContentType.objects.get_or_create(app_label="jobs", model="upload")
    permission, _ = Permission.objects.get_or_create(
        content_type=content_type, codename="view_upload", defaults={"name": "Can view upload"}
    )
    alice.user_permissions.add(permission)

    migrate(latest)

    upload = IncomingUpload.objects.get(pk=upload_id)
    assert (upload.owner, upload.name, upload.received) == (alice, "a.bin", [0])
    assert User.objects.get(pk=alice.pk).has_perm("jobs.view_incomingupload")


def test_jobs_that_completed_before_survive_and_later_ones_need_no_file(
    alice: User, latest: str
) -> None:
    before = JobFactory(owner=alice, status=Status.COMPLETED, unit="bytes")

    migrate("0013_rename_upload")

    with connection.cursor() as cursor, pytest.raises(IntegrityError), transaction.atomic():
        cursor.execute("UPDATE jobs_downloadjob SET artifact_id = NULL")

    migrate(latest)

    before.refresh_from_db()
    assert (before.status, before.unit) == (Status.COMPLETED, "bytes")
    assert before.artifact
    JobFactory(owner=alice, status=Status.COMPLETED, artifact=None, unit="warehouse locations")
    with pytest.raises(IntegrityError):
        JobFactory(owner=alice, status=Status.COMPLETED, finished_at=None)


def test_processes_of_the_previous_release_count_uploads_once(alice: User, latest: str) -> None:
    JobFactory(owner=alice, kind="upload", total=100, unit="bytes")
    JobFactory(owner=alice, kind="bundle", total=20, unit="bytes")

    assert used_bytes(alice) == 20
    assert used_bytes(alice, stored_kinds=["bundle"]) == 100

    migrate("0017_event_at")

    assert used_bytes(alice, stored_kinds=["bundle"]) == 20


def used_bytes(owner: User, **members: Any) -> int:
    check = {"owner_id": owner.pk, "upload_idle_seconds": 60} | members
    text = submission_sql.ROOM.text.replace("$1", "%s")
    with connection.cursor() as cursor:
        cursor.execute(text, [json.dumps([check])])
        ((used,),) = cursor.fetchall()
    return int(used)
