"""Share links: what their owner, a receiver, another user and staff see and may do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from jobs import storage
from jobs.engine import share_links
from jobs.engine.deletion_sweep import expire_share_links, sweep_deletions
from jobs.engine.deletions import delete_jobs, undo_deletion
from jobs.engine.personal_data import count_personal_data, forget_user
from jobs.engine.share_links import create_share_link
from jobs.models import Deletion, DownloadJob, LinkState, ShareLink, StoredFile
from jobs.states import Status
from jobs.web.problems import PROBLEM
from jobs.web.shared_links import share_token
from tests.factories import ArtifactFactory, JobFactory, StoredFileFactory, store
from tests.pages.looks import BROWSER, text

PASSWORD = "blue horse 7"


@pytest.fixture
def job(alice: User, bucket: Any) -> DownloadJob:
    """Return a completed job whose file is in the store."""
    alice.first_name, alice.last_name = "Alice", "Marsh"
    alice.save()
    return shared_job(alice)


def shared_job(owner: User) -> DownloadJob:
    artifact = ArtifactFactory(owner=owner, name="plans.zip")
    storage.bucket().save(artifact.key, ContentFile(b"hello"))
    job: DownloadJob = JobFactory(
        owner=owner, status=Status.COMPLETED, artifact=artifact, name="plans.zip"
    )
    StoredFile.objects.filter(pk=artifact.pk).update(made_by=job)
    return job


def url_of(link: ShareLink, end: str = "") -> str:
    return f"/s/{share_token(link.pk)}{end}"


def downloads(link: ShareLink) -> int:
    return ShareLink.objects.get(pk=link.pk).downloads


# The owner's API


def test_a_link_is_created_listed_and_revoked(client_of_alice: APIClient, job: DownloadJob) -> None:
    url = f"/v1/download/{job.pk}/shares"
    limits = {"maxDownloads": 2, "expiresAt": "2026-12-24T18:00:00Z", "password": PASSWORD}
    limits["expiresAt"] = (timezone.now() + timedelta(days=1)).isoformat()

    created = client_of_alice.post(url, limits)

    body = created.json()
    assert created.status_code == 201
    assert created["Location"] == body["url"]
    assert body["url"] == f"http://testserver/s/{share_token(UUID(body['shareId']))}"
    assert (body["state"], body["hasPassword"], body["downloads"]) == ("active", True, 0)
    assert PASSWORD not in str(ShareLink.objects.values())
    assert client_of_alice.get(url).json()["results"] == [body]  # the same URL again
    for _ in range(2):
        assert client_of_alice.delete(f"/v1/shares/{body['shareId']}").status_code == 204
    assert client_of_alice.get(url).json()["results"][0]["state"] == "revoked"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "tomorrow"}, "expiresAt"),
        ({"maxDownloads": 0}, "maxDownloads"),
        ({"maxDownloads": "3"}, "maxDownloads"),
        ({"password": ""}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"days": 3}, "days"),
    ],
)
def test_bad_limits_make_no_link(
    client_of_alice: APIClient, job: DownloadJob, body: dict[str, Any], field: str
) -> None:
    response = client_of_alice.post(f"/v1/download/{job.pk}/shares", body)

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == field
    assert not ShareLink.objects.exists()


def test_only_a_job_with_a_file_is_shared(client_of_alice: APIClient, alice: User) -> None:
    for status in (Status.QUEUED, Status.FAILED, Status.EXPIRED):
        job = JobFactory(owner=alice, status=status)
        response = client_of_alice.post(f"/v1/download/{job.pk}/shares", {})
        assert (response.status_code, response.json()["code"]) == (409, "conflict")


def test_a_job_has_a_limited_number_of_links(
    client_of_alice: APIClient, job: DownloadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share_links, "MAX_LINKS", 1)
    create_share_link(job)

    response = client_of_alice.post(f"/v1/download/{job.pk}/shares", {})

    assert (response.status_code, response.json()["code"]) == (429, "too_many_links")


def test_others_make_list_and_revoke_no_link(job: DownloadJob, bob: User, operator: User) -> None:
    link = create_share_link(job)
    for user, expected in ((None, 401), (bob, 403), (operator, 403)):
        client = APIClient()
        client.force_authenticate(user)
        assert client.post(f"/v1/download/{job.pk}/shares", {}).status_code == expected
        assert client.get(f"/v1/download/{job.pk}/shares").status_code == expected
        revoked = client.delete(f"/v1/shares/{link.pk}")
        assert revoked.status_code == (401 if user is None else 404)
    assert ShareLink.objects.get().state == LinkState.ACTIVE


# The receiver


@pytest.fixture(params=["anonymous", "owner", "other", "staff"])
def receiver(request: Any, job: DownloadJob, bob: User, operator: User) -> Client:
    client = Client(headers=BROWSER, enforce_csrf_checks=True)
    users = {"owner": job.owner, "other": bob, "staff": operator}
    if user := users.get(request.param):
        client.force_login(user)
    return client


def test_anybody_sees_what_a_link_gives_and_gets_it(receiver: Client, job: DownloadJob) -> None:
    link = create_share_link(job, max_downloads=3)

    page = receiver.get(url_of(link))
    response = receiver.post(url_of(link, "/download"))

    assert page.status_code == 200
    for shown in ("plans.zip", "Alice Marsh shares this file", "3 of 3", "application/zip"):
        assert shown in text(page)
    assert page["Referrer-Policy"] == response["Referrer-Policy"] == "no-referrer"
    assert "noindex" in page["X-Robots-Tag"]
    assert page["Cache-Control"] == "private, no-store"
    assert response.status_code == 303
    assert "X-Amz-Signature" in response["Location"]
    assert "plans.zip" in response["Location"]  # in its Content-Disposition
    assert downloads(link) == 1


def test_looking_counts_no_download(job: DownloadJob) -> None:
    link = create_share_link(job, max_downloads=1)
    for headers in (BROWSER, {"User-Agent": "Slackbot"}, {"Accept": "application/json"}):
        client = Client(headers=headers)
        for method in (client.get, client.head):
            assert method(url_of(link)).status_code == 200
        assert client.head(url_of(link, "/download")).status_code == 200

    assert downloads(link) == 0


def test_a_program_reads_json_and_follows_the_redirect(job: DownloadJob) -> None:
    link = create_share_link(job, max_downloads=2)

    body = Client().get(url_of(link)).json()

    assert body == {
        "sharedBy": "Alice Marsh",
        "passwordRequired": False,
        "name": "plans.zip",
        "contentType": "application/zip",
        "size": 5,
        "expiresAt": body["expiresAt"],
        "downloadsLeft": 2,
        "downloadUrl": url_of(link, "/download"),
    }
    response = Client().get(body["downloadUrl"], headers={"Accept": "*/*"})
    assert (response.status_code, downloads(link)) == (302, 1)


ENDINGS = {
    "revoked": lambda link: link.revoke(),
    "disabled": lambda link: User.objects.filter(pk=link.owner_id).update(is_active=False),
    "used_up": lambda link: ShareLink.objects.update(max_downloads=1, downloads=1),
    "expired": lambda link: ShareLink.objects.update(
        expires_at=timezone.now() - timedelta(seconds=1)
    ),
    "deleted": lambda link: delete_jobs(link.owner, [link.job_id]),
}


@pytest.mark.parametrize("state", ENDINGS)
def test_a_link_that_has_ended_says_why(receiver: Client, job: DownloadJob, state: str) -> None:
    link = create_share_link(job, password=PASSWORD)
    ENDINGS[state](link)
    if state == "disabled":  # the account of its owner
        receiver.logout()
        state = "revoked"
    titles = {
        "revoked": "This link was revoked",
        "used_up": "This link is used up",
        "expired": "This link has expired",
        "deleted": "The file was deleted",
    }

    for end, method in (("", "GET"), ("", "POST"), ("/download", "GET"), ("/download", "POST")):
        form: dict[str, Any] = {"data": {"password": PASSWORD}} if method == "POST" else {}
        page = getattr(receiver, method.lower())(url_of(link, end), **form)
        assert page.status_code == 410
        assert f"<h1>{titles[state]}</h1>" in text(page)
        assert "plans.zip" not in text(page)
        as_json = getattr(Client(), method.lower())(
            url_of(link, end), content_type="application/json"
        )
        assert (as_json.status_code, as_json["Content-Type"]) == (410, PROBLEM)
        assert as_json.json()["code"] == f"link_{state}"
    assert downloads(link) == (1 if state == "used_up" else 0)


def test_a_link_ends_with_its_file(client_of_alice: APIClient, job: DownloadJob) -> None:
    link = create_share_link(job)
    DownloadJob.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    job.refresh_from_db()
    job.expire()
    assert Client().get(url_of(link)).json()["code"] == "link_expired"

    DownloadJob.objects.all().delete()

    assert Client().get(url_of(link)).json()["code"] == "link_deleted"


def test_an_undo_brings_the_link_back(alice: User, job: DownloadJob) -> None:
    link = create_share_link(job)
    deletion = delete_jobs(alice, [job.pk]).deletion
    assert Client().get(url_of(link)).status_code == 410
    assert deletion

    undo_deletion(alice, deletion.pk)

    assert Client().get(url_of(link)).status_code == 200
    delete_jobs(alice, [job.pk])
    Deletion.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    sweep_deletions()
    assert Client().get(url_of(link)).json()["code"] == "link_deleted"


def test_a_file_that_is_gone_is_not_counted(job: DownloadJob) -> None:
    link = create_share_link(job, max_downloads=1)
    assert job.artifact
    storage.delete_object_and_uploads(job.artifact.key)

    response = Client().get(url_of(link, "/download"))

    assert (response.status_code, response.json()["code"]) == (410, "artifact_gone")
    assert downloads(link) == 0


@pytest.mark.parametrize("token", ["x", "A" * 44, "{other}", "{cut}", "{changed}", "{id}"])
def test_an_unknown_link_is_404(receiver: Client, job: DownloadJob, token: str) -> None:
    link = create_share_link(job)
    good = share_token(link.pk)
    changed = good[:-2] + ("AA" if good[-2:] != "AA" else "BA")
    token = token.format(other=good[:22] + share_token(uuid4())[22:], cut=good[:-1],
                         changed=changed, id=link.pk)  # fmt: skip

    for end in ("", "/download"):
        page = receiver.get(f"/s/{token}{end}")
        assert page.status_code == 404
        assert "This link doesn&#x27;t work" in text(page)
        as_json = Client().get(f"/s/{token}{end}")
        assert (as_json.status_code, as_json.json()["code"]) == (404, "not_found")


def test_links_survive_a_new_secret_key(job: DownloadJob, settings: Any) -> None:
    url = url_of(create_share_link(job))
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "new" * 20
    assert Client().get(url).status_code == 200

    settings.SECRET_KEY_FALLBACKS = []

    assert Client().get(url).status_code == 404


# Passwords


def test_a_password_is_asked_before_anything_is_shown(receiver: Client, job: DownloadJob) -> None:
    link = create_share_link(job, password=PASSWORD)
    asked = receiver.get(url_of(link))
    assert "protected by a password" in text(asked)
    assert "plans.zip" not in text(asked)

    wrong = receiver.post(url_of(link), {"password": "guess"})
    opened = receiver.post(url_of(link), {"password": PASSWORD})

    assert (wrong.status_code, opened.status_code) == (403, 200)
    assert "The password is wrong." in text(wrong)
    assert "plans.zip" in text(opened)
    grant = opened.context["grant"]
    assert receiver.post(url_of(link, "/download"), {"grant": grant}).status_code == 303
    assert downloads(link) == 1


def test_without_a_grant_there_is_no_download(job: DownloadJob, bob: User) -> None:
    link, other = (create_share_link(job, password=PASSWORD) for _ in range(2))
    client = Client(headers=BROWSER)
    grant = client.post(url_of(other), {"password": PASSWORD}).context["grant"]

    for data in ({}, {"grant": grant}, {"grant": "x"}, {"password": PASSWORD}):
        page = client.post(url_of(link, "/download"), data)
        assert "protected by a password" in text(page)
    assert client.get(url_of(link, "/download")).status_code == 200
    assert Client().get(url_of(link, "/download")).json()["code"] == "wrong_password"
    assert downloads(link) == 0


def test_a_program_sends_the_password_as_json(job: DownloadJob) -> None:
    link, client = create_share_link(job, password=PASSWORD), APIClient()
    hidden = client.get(url_of(link)).json()
    assert (hidden["name"], hidden["size"], hidden["passwordRequired"]) == (None, None, True)

    shown = client.post(url_of(link), {"password": PASSWORD})
    response = client.post(url_of(link, "/download"), {"password": PASSWORD})

    assert shown.json()["name"] == "plans.zip"
    assert response.status_code == 303
    for body in ({}, {"password": "guess"}):
        wrong = client.post(url_of(link, "/download"), body)
        assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_password")
    assert client.post(url_of(link), {"pass": "x"}).status_code == 400
    assert downloads(link) == 1


def test_guesses_are_limited_for_each_link(job: DownloadJob, settings: Any) -> None:
    name = f"account-address:2/{uuid4().int % 9000 + 100}"  # a window of this test's own
    settings.RATES = settings.RATES | {"share-password": [name]}
    link, other = (create_share_link(job, password=PASSWORD) for _ in range(2))
    client = Client(headers=BROWSER)
    for _ in range(5):  # the right password does not count
        assert client.post(url_of(link), {"password": PASSWORD}).status_code == 200
    statuses = [client.post(url_of(link), {"password": "x"}).status_code for _ in range(3)]

    assert statuses == [403, 403, 429]
    assert client.post(url_of(link), {"password": PASSWORD}).status_code == 429
    assert client.post(url_of(other), {"password": PASSWORD}).status_code == 200


# Stored files


def test_a_stored_file_is_shared_too(client_of_alice: APIClient, alice: User, bucket: Any) -> None:
    file = store(70_400, "2026/May/invoice.pdf", b"hello", owner=alice)
    url = f"/v1/files/{file.file_id}/shares"

    body = client_of_alice.post(url, {"maxDownloads": 1}).json()

    assert client_of_alice.get(url).json()["results"] == [body]
    path = body["url"].removeprefix("http://testserver")
    assert Client().get(path).json()["name"] == "invoice.pdf"  # without its folders
    assert [Client().get(f"{path}/download").status_code for _ in range(2)] == [302, 410]
    ShareLink.objects.update(max_downloads=None)
    StoredFile.objects.update(missing_since=timezone.now())
    assert Client().get(path).json()["code"] == "link_deleted"


def test_files_of_others_are_not_shared(
    client_of_alice: APIClient, bob: User, operator: User
) -> None:
    public, foreign = StoredFileFactory(), StoredFileFactory(owner=bob)
    for method in (client_of_alice.get, client_of_alice.post):
        assert method(f"/v1/files/{public.file_id}/shares", {}).status_code == 403
        assert method(f"/v1/files/{foreign.file_id}/shares", {}).status_code == 404
        assert method("/v1/files/99999/shares", {}).status_code == 404
    assert not ShareLink.objects.exists()
    assert APIClient().post(f"/v1/files/{public.file_id}/shares", {}).status_code == 401


# Counting, and forgetting


@pytest.mark.django_db(transaction=True)
def test_racing_downloads_are_never_more_than_allowed(job: DownloadJob) -> None:
    link = create_share_link(job, max_downloads=7)

    def download(_: int) -> int:
        try:
            return Client().get(url_of(link, "/download")).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(download, range(50)))

    assert sorted(statuses) == [302] * 7 + [410] * 43
    assert downloads(link) == 7


def test_the_activity_has_one_counted_line_for_a_link(job: DownloadJob, alice: User) -> None:
    link = create_share_link(job)
    for _ in range(5):
        assert Client().get(url_of(link, "/download")).status_code == 302
    owner = Client(headers=BROWSER)
    owner.force_login(alice)

    page = text(owner.get(reverse("job-page", args=[job.pk])))

    assert page.count("Shared by a link") == 1
    assert page.count("Downloaded 5 times by a link") == 1
    assert job.events.count() == 0  # none for each download


def test_a_forgotten_user_has_no_links(job: DownloadJob, alice: User) -> None:
    link = create_share_link(job)
    assert count_personal_data(alice)["share links"] == 1

    forget_user(alice)

    assert not ShareLink.objects.exists()
    assert Client().get(url_of(link)).status_code == 410


def test_links_that_ended_long_ago_are_deleted(job: DownloadJob) -> None:
    long_ago = timezone.now() - timedelta(days=31)
    kept, revoked, expired, lost = (create_share_link(job) for _ in range(4))
    ShareLink.objects.update(created_at=long_ago)
    ShareLink.objects.filter(pk=revoked.pk).update(revoked_at=long_ago)
    ShareLink.objects.filter(pk=expired.pk).update(expires_at=long_ago)
    ShareLink.objects.filter(pk=lost.pk).update(file=10**9)

    assert expire_share_links() == 3

    assert ShareLink.objects.get() == kept
