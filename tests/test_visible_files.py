"""Who sees which stored files, at every address that shows or reads one."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.engine import quota
from jobs.engine import submission_sql as sql
from jobs.kinds.bundle.load import load_bundle_sources
from jobs.models import StoredFile
from jobs.models.sources import Sources
from jobs.states import Status
from tests.factories import ArtifactFactory, JobFactory, StoredFileFactory, UserFactory

PUBLIC, OWN, OTHERS, OF_GROUP, OF_OTHER_GROUP = range(71_000, 71_005)
GONE, EXPIRED = 71_005, 71_006
SEEN_BY = {  # who, and the files they see
    "nobody": {PUBLIC},
    "alice": {PUBLIC, OWN, OF_GROUP},
    "bob": {PUBLIC, OTHERS},
    "staff": {PUBLIC},
    "member": {PUBLIC, OF_GROUP, OF_OTHER_GROUP},
}


@pytest.fixture
def people(alice: User, bob: User, files: None) -> dict[str, User | None]:
    staff, member = UserFactory(is_staff=True), UserFactory()
    groups = Group.objects.order_by("name")
    alice.groups.add(groups[1])
    member.groups.add(*groups)
    return {"nobody": None, "alice": alice, "bob": bob, "staff": staff, "member": member}


@pytest.fixture
def files(alice: User, bob: User, bucket: Any) -> None:
    other_group, group = (Group.objects.create(name=name) for name in ("legal", "sales"))
    visibilities: dict[int, dict[str, Any]] = {
        PUBLIC: {},
        OWN: {"owner": alice},
        OTHERS: {"owner": bob},
        OF_GROUP: {"group": group},
        OF_OTHER_GROUP: {"group": other_group},
        GONE: {"missing_since": timezone.now()},
        EXPIRED: {"expires_at": timezone.now() - timedelta(seconds=1)},
    }
    for file_id, columns in visibilities.items():
        file = StoredFileFactory(file_id=file_id, **columns)
        bucket.objects.put(file.key, b"hello", content_type="text/plain")


@pytest.fixture(params=SEEN_BY)
def caller(request: Any, people: dict[str, User | None]) -> tuple[User | None, set[int]]:
    return people[request.param], SEEN_BY[request.param]


def api(user: User | None) -> APIClient:
    client = APIClient()
    if user:
        client.force_authenticate(user)
    return client


Caller = tuple[User | None, set[int]]
ALL = {*range(PUBLIC, EXPIRED + 1)}


def test_querysets_agree(caller: Caller) -> None:
    user, seen = caller
    found = StoredFile.objects.visible_to(user and user.pk)
    assert set(found.values_list("file_id", flat=True)) == seen
    if user:
        few = StoredFile.objects.few_visible_to(user.pk, sorted(ALL))
        read = StoredFile.objects.read_by(Sources(sorted(ALL)), user.pk)
        parts = StoredFile.objects.visible_parts(user.pk)
        listed = [file.file_id for part in parts for file in part]
        assert {file.file_id for file in few} == {file.file_id for file in read} == seen
        assert sorted(listed) == sorted(seen)  # no file is in two parts


def test_starts_count_what_the_caller_sees(caller: Caller) -> None:
    """jobs_check_1 adds up the sizes of the sources."""
    user, seen = caller
    if user is None:
        return
    check = sql.LimitCheck(
        owner_id=user.pk, limits=quota.quota_limits(), queued=0, sources=Sources(sorted(ALL))
    )
    with connection.cursor() as cursor:
        cursor.execute(sql.CHECK.text.replace("$1", "%s"), [sql.submission_json([check])])
        ((_, _, size_bytes),) = cursor.fetchall()
    assert size_bytes == 5 * len(seen)


def test_list_has_what_the_caller_sees(caller: Caller) -> None:
    user, seen = caller
    response = api(user).get("/v1/files")

    if user is None:
        assert response.status_code == 401
    else:
        assert {file["fileId"] for file in response.json()["results"]} == seen


def test_get_is_404_for_what_the_caller_does_not_see(caller: Caller) -> None:
    user, seen = caller
    for file_id in ALL:
        status = api(user).get(f"/v1/files/{file_id}").status_code
        assert status == (401 if user is None else 200 if file_id in seen else 404)


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_only_owners_and_staff_change_and_delete(caller: Caller, method: str) -> None:
    user, seen = caller
    for file_id in ALL:
        file = StoredFile.objects.get(file_id=file_id)
        response = getattr(api(user), method)(f"/v1/files/{file_id}")

        may_change = user and (file.owner == user or user.is_staff)
        done = 200 if method == "patch" else 204
        expected = 404 if file_id not in seen else done if may_change else 403
        assert response.status_code == (expected if user else 401)
        assert not (response.status_code == 204 and file in StoredFile.objects.available())


def test_check_says_what_the_caller_sees(caller: Caller) -> None:
    user, seen = caller
    for file_id in ALL:
        body = api(user).post("/v1/download/check", {"file_id": file_id}).json()
        assert body["available"] is (file_id in seen)
        assert ("s3Key" in body) is (user is not None)


def test_bundles_of_what_the_caller_does_not_see_are_missing(caller: Caller) -> None:
    user, seen = caller
    if user is None:
        return
    sources = load_bundle_sources({"file_ids": sorted(seen)}, user.pk)
    assert {source.file_id for source in sources} == seen
    for file_id in ALL - seen:
        with pytest.raises(Exception, match="could not be found"):
            load_bundle_sources({"file_ids": [file_id]}, user.pk)


def test_page_offers_what_the_caller_sees(caller: Caller) -> None:
    user, seen = caller
    if user is None:
        return
    client = Client(headers={"accept": "text/html"})
    client.force_login(user)
    page = client.get("/").content.decode()
    assert {file_id for file_id in ALL if f'value="{file_id}"' in page} == seen


@pytest.mark.usefixtures("broker")
def test_start_of_a_members_file_is_accepted(people: dict[str, Any], broker: Mock) -> None:
    response = api(people["member"]).post("/v1/download/initiate", {"file_ids": [OF_GROUP]})

    assert response.status_code == 202
    assert response.json()["total"] == 5


def test_file_leaves_with_the_membership(people: dict[str, Any], alice: User) -> None:
    alice.groups.clear()

    assert api(alice).get(f"/v1/files/{OF_GROUP}").status_code == 404


def test_a_file_is_not_of_a_user_and_a_group(people: dict[str, Any], alice: User) -> None:
    with pytest.raises(IntegrityError):
        StoredFileFactory(owner=alice, group=Group.objects.first())


def test_anonymous_callers_of_check_learn_yes_or_no(people: dict[str, Any]) -> None:
    response = api(None).post("/v1/download/check", {"file_id": PUBLIC})

    assert json.loads(response.content) == {"file_id": PUBLIC, "available": True}


@pytest.mark.django_db(transaction=True)
def test_files_of_groups_are_counted_beside_results_of_jobs(
    people: dict[str, Any], alice: User
) -> None:
    """The number of files that are found is not that of those that are named."""
    job = JobFactory(owner=alice, status=Status.COMPLETED, artifact=None)
    ArtifactFactory(owner=alice, made_by=job, size_bytes=100)
    check = sql.LimitCheck(
        owner_id=alice.pk,
        limits=quota.quota_limits(),
        queued=0,
        sources=Sources([OF_GROUP], [str(job.pk)]),
    )
    with connection.cursor() as cursor:
        cursor.execute(sql.CHECK.text.replace("$1", "%s"), [sql.submission_json([check])])
        ((_, _, size_bytes),) = cursor.fetchall()

    assert size_bytes == 105
