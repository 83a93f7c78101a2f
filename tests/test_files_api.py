"""/v1/files: list, get, change and delete stored files."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.files.base import ContentFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from jobs import storage
from jobs.models import DownloadJob, StoredFile, Usage
from jobs.states import Status
from tests.factories import ArtifactFactory, JobFactory, StoredFileFactory

URL = "/v1/files"

pytestmark = pytest.mark.django_db


def numbers(client: APIClient, **query: Any) -> list[int]:
    response = client.get(URL, query)
    assert response.status_code == 200, response.json()
    return [file["fileId"] for file in response.json()["results"]]


def test_file_in_the_list(client_of_alice: APIClient, alice: User) -> None:
    group = Group.objects.create(name="sales")
    alice.groups.add(group)
    file = StoredFileFactory(file_id=70005, name="2026/05/invoice.pdf", group=group)

    (body,) = client_of_alice.get(URL).json()["results"]

    url = body.pop("downloadUrl")
    assert file.key in url
    assert "invoice.pdf" in url
    created_at = body.pop("createdAt")
    assert created_at.endswith("Z")
    assert body == {
        "fileId": 70005,
        "name": "invoice.pdf",
        "folder": "2026/05",
        "type": "text/plain",
        "size": 5,
        "sha256": file.sha256,
        "expiresAt": None,
        "visibility": "group",
        "group": "sales",
        "expiresIn": 600,
    }


def test_pages_follow_each_other_in_both_directions(
    client_of_alice: APIClient, alice: User
) -> None:
    for number in range(7):
        StoredFileFactory(file_id=72_000 + number, owner=alice if number % 2 else None)

    url: str | None = f"{URL}?limit=3"
    seen, previous = [], []
    while url:
        body = client_of_alice.get(url).json()
        seen.append([file["fileId"] for file in body["results"]])
        previous.append(body["previous"])
        url = body["next"]

    assert seen == [[72006, 72005, 72004], [72003, 72002, 72001], [72000]]
    assert previous[0] is None
    for number in (1, 2):
        before = client_of_alice.get(previous[number]).json()
        assert [file["fileId"] for file in before["results"]] == seen[number - 1]
    assert client_of_alice.get(before["next"]).json()["results"][0]["fileId"] == 72000


def test_a_page_beyond_the_last_file_is_empty(client_of_alice: APIClient) -> None:
    """A client that follows `next` while files are deleted must not begin again."""
    StoredFileFactory(file_id=72_000)
    StoredFileFactory(file_id=72_001)
    following = client_of_alice.get(f"{URL}?limit=1").json()["next"]
    StoredFile.objects.filter(file_id=72_000).delete()

    body = client_of_alice.get(following).json()

    assert (body["results"], body["next"]) == ([], None)


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"}, {"limit": "101"}, {"cursor": "x"}, {"cursor": "cD1hYmM="},
        {"owner": "alice"}, {"type": "pictures"}, {"type": "image/*/png"}, {"search": "a" * 101},
    ],
)  # fmt: skip
def test_an_invalid_query_is_400(client_of_alice: APIClient, query: dict[str, str]) -> None:
    response = client_of_alice.get(URL, query)

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == next(iter(query))


def test_filters(client_of_alice: APIClient, alice: User, settings: Any) -> None:
    group = Group.objects.create(name="sales")
    alice.groups.add(group)
    StoredFileFactory(file_id=72_000, name="Report.pdf", content_type="application/pdf")
    StoredFileFactory(file_id=72_001, name="a/b/photo.png", content_type="image/png", owner=alice)
    StoredFileFactory(file_id=72_002, name="a/photo.jpg", content_type="image/jpeg", group=group)

    assert numbers(client_of_alice, search="photo") == [72002, 72001]
    assert numbers(client_of_alice, search="72000") == [72000]
    assert numbers(client_of_alice, search="%") == []
    assert numbers(client_of_alice, type="pdf") == [72000]
    assert numbers(client_of_alice, type="image/*") == [72002, 72001]
    assert numbers(client_of_alice, type="image/png") == [72001]
    assert numbers(client_of_alice, owner="me") == [72001]
    assert numbers(client_of_alice, owner="public") == [72000]
    assert numbers(client_of_alice, owner="group") == [72002]
    assert numbers(client_of_alice, folder="a") == [72002, 72001]
    assert numbers(client_of_alice, folder="a/b/") == [72001]
    assert numbers(client_of_alice, folder="b") == []
    assert numbers(client_of_alice, owner="", type="", search="") == [72002, 72001, 72000]


def test_files_of_groups_of_somebody_without_groups(client_of_alice: APIClient) -> None:
    StoredFileFactory()

    assert numbers(client_of_alice, owner="group") == []


def test_previews_are_not_listed(client_of_alice: APIClient, alice: User) -> None:
    StoredFileFactory(file_id=72_000, owner=alice, role="thumbnail")

    assert numbers(client_of_alice) == []
    assert client_of_alice.get(f"{URL}/72000").status_code == 200


def test_queries_do_not_depend_on_the_number_of_files(
    client_of_alice: APIClient, alice: User
) -> None:
    group = Group.objects.create(name="sales")
    alice.groups.add(group)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            client_of_alice.get(URL)
        return len(seen)

    StoredFileFactory(group=group)
    few = queries()
    StoredFileFactory.create_batch(10, group=group)
    assert queries() == few


def test_download_url_of_a_file_in_another_bucket(
    client_of_alice: APIClient, bucket: Any, settings: Any
) -> None:
    bucket.client.create_bucket(Bucket="media")
    bucket.objects_in("media").put("a/ä.txt", b"hello", content_type="text/plain")
    StoredFileFactory(file_id=72_000, bucket="media", key="a/ä.txt", name="x/ä.txt")

    url = client_of_alice.get(f"{URL}/72000").json()["downloadUrl"]

    with urlopen(url) as response:
        assert response.read() == b"hello"
        assert "filename*=UTF-8''%C3%A4.txt" in response.headers["Content-Disposition"]
    assert urlsplit(url).path.startswith("/media/")
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"]


def test_change_name_folder_and_expiry(client_of_alice: APIClient, alice: User) -> None:
    file = StoredFileFactory(file_id=72_000, owner=alice, name="old/a.txt")
    moment = timezone.now() + timedelta(days=1)

    def change(**members: Any) -> Any:
        response = client_of_alice.patch(f"{URL}/72000", members)
        assert response.status_code == 200, response.json()
        file.refresh_from_db()
        return response.json()

    assert change(name="b.txt")["folder"] == "old"
    assert file.name == "old/b.txt"
    assert change(folder="new/../2026//5")["folder"] == "new/2026/5"
    assert change(folder="")["name"] == "b.txt"
    assert file.name == "b.txt"
    assert change(expiresAt=f"{moment:%Y-%m-%dT%H:%M:%SZ}")["expiresAt"]
    assert file.expires_at
    assert change(expiresAt=None)["expiresAt"] is None
    assert change(name="../../etc/passwd")["name"] == "passwd"


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""}, {"size": 1}, {"name": 5}, {"expiresAt": "2020-01-01T00:00:00Z"},
        {"expiresAt": "tomorrow"}, {"folder": "a" * 900}, {"folder": None},
    ],
)  # fmt: skip
def test_an_invalid_change_is_400(
    client_of_alice: APIClient, alice: User, body: dict[str, Any]
) -> None:
    file = StoredFileFactory(file_id=72_000, owner=alice, name="a.txt")

    assert client_of_alice.patch(f"{URL}/72000", body).status_code == 400

    file.refresh_from_db()
    assert (file.name, file.expires_at) == ("a.txt", None)


@pytest.mark.parametrize("codename", ["change_storedfile", "delete_storedfile"])
def test_permission_to_change_shared_files(
    client_of_alice: APIClient, alice: User, codename: str
) -> None:
    StoredFileFactory(file_id=72_000)
    alice.user_permissions.add(Permission.objects.get(codename=codename))

    changed = client_of_alice.patch(f"{URL}/72000", {"name": "b.txt"}).status_code
    deleted = client_of_alice.delete(f"{URL}/72000").status_code

    is_change = codename.startswith("change")
    assert (changed, deleted) == ((200, 403) if is_change else (403, 204))


def test_object_of_a_deleted_registered_file_stays(
    client_of_alice: APIClient, alice: User, bucket: Any
) -> None:
    bucket.save("theirs/a.txt", ContentFile(b"hello"))
    StoredFileFactory(file_id=72_000, owner=alice, key="theirs/a.txt")

    assert client_of_alice.delete(f"{URL}/72000").status_code == 204

    assert storage.object_exists("theirs/a.txt", 5)
    assert client_of_alice.delete(f"{URL}/72000").status_code == 404


def test_delete_the_result_of_a_job(client_of_alice: APIClient, alice: User) -> None:
    job = JobFactory(owner=alice, status=Status.COMPLETED, artifact=None)
    artifact = ArtifactFactory(owner=alice, file_id=72_000, made_by=job)
    StoredFileFactory(owner=alice, file_id=72_001, made_by=job, role="thumbnail")
    DownloadJob.objects.filter(pk=job.pk).update(artifact=artifact)

    assert client_of_alice.patch(f"{URL}/72000", {"expiresAt": None}).status_code == 409
    assert client_of_alice.delete(f"{URL}/72001").status_code == 409  # a preview
    assert client_of_alice.delete(f"{URL}/72000").status_code == 204

    assert [client_of_alice.get(f"{URL}/7200{n}").status_code for n in (0, 1)] == [404, 404]
    assert client_of_alice.get(f"/v1/download/status/{job.pk}").status_code == 404


def test_file_that_an_active_job_reads_is_not_deleted(
    client_of_alice: APIClient, alice: User
) -> None:
    StoredFileFactory(file_id=72_000, owner=alice)
    JobFactory(owner=alice, params={"file_ids": [72_000]})

    assert client_of_alice.delete(f"{URL}/72000").status_code == 409
    assert client_of_alice.get(f"{URL}/72000").status_code == 200


def test_files_in_other_buckets_use_no_storage_of_their_owner(alice: User) -> None:
    StoredFileFactory(owner=alice, size_bytes=700, bucket="media")
    own = StoredFileFactory(owner=alice, size_bytes=30)

    assert Usage.objects.get(owner=alice).stored_bytes == 30

    StoredFile.objects.filter(bucket="media").update(size_bytes=900)
    StoredFile.objects.filter(bucket="media").update(owner=None)
    assert Usage.objects.get(owner=alice).stored_bytes == 30

    own.delete()
    StoredFile.objects.all().delete()
    assert Usage.objects.get(owner=alice).stored_bytes == 0


def test_the_same_key_in_two_buckets() -> None:
    StoredFileFactory(key="a.txt")
    StoredFileFactory(key="a.txt", bucket="media")

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = StoredFile.objects.filter(key="a.txt").explain()
    assert "file_key_in_bucket" in plan
