"""/v1/keys: create, list, rename and revoke API keys. What a key does: test_key_scopes.py."""

from __future__ import annotations

import hashlib
import threading
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from jobs.engine import api_keys
from jobs.engine.api_keys import create_api_key
from jobs.errors import TooManyKeys
from jobs.models import ApiKey, DownloadJob, Preferences
from jobs.models.api_key import KEY, new_key
from tests.factories import JobFactory, StoredFileFactory, make_key
from tests.live import until
from tests.pages.looks import BROWSER

URL = "/v1/keys"
BODY = {"name": "Nightly export", "scopes": ["start", "read"]}
HOOK = "https://hooks.example.org/keys"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_new_key_is_shown_once(client_of_alice: APIClient, alice: User) -> None:
    response = client_of_alice.post(URL, BODY)

    body, row = response.json(), ApiKey.objects.get()
    assert response.status_code == 201
    assert response["Location"] == f"{URL}/{row.pk}"
    assert response["Cache-Control"] == "private, no-store"
    assert KEY.fullmatch(body["key"])
    assert body["key"].startswith(body["prefix"])
    assert body["scopes"] == ["read", "start"]
    assert (body["expiresAt"], body["lastUsedAt"], body["webhookSecret"]) == (None, None, "")
    assert row.owner == alice
    assert Client().get("/v1/download/jobs", headers=bearer(body["key"])).status_code == 200
    for later in (client_of_alice.get(URL), client_of_alice.get(response["Location"])):
        assert body["key"] not in later.content.decode()
        assert row.digest not in later.content.decode()


def test_only_a_digest_is_stored(client_of_alice: APIClient) -> None:
    key = client_of_alice.post(URL, BODY).json()["key"]

    row = ApiKey.objects.values().get()

    assert row["digest"] == hashlib.sha256(key.encode()).hexdigest()
    assert key not in str(row)


def test_keys_are_random() -> None:
    keys = {new_key() for _ in range(1_000)}

    assert len(keys) == 1_000
    assert len(set("".join(keys))) == 63  # 62 letters and digits, and _


@pytest.mark.parametrize(
    ("members", "field", "detail"),
    [
        ({"name": ""}, "name", None),
        ({"name": "x" * 101}, "name", None),
        ({"scopes": []}, "scopes", "This list may not be empty."),
        ({"scopes": ["write"]}, "scopes.0", None),
        ({"scopes": "read"}, "scopes", None),
        ({"scopes": ["admin"]}, "scopes", "Only keys of staff may have the scope admin."),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt", "Use a time in the future."),
        ({"expiresAt": "2199-01-01T00:00:00Z"}, "expiresAt", "Use a time within 366 days."),
        ({"webhook": "ftp://example.org"}, "webhook", None),
        ({"key": "dlk_mine"}, "key", "Unknown field."),
    ],
)
def test_invalid_key_is_refused(
    client_of_alice: APIClient, members: dict[str, Any], field: str, detail: str | None
) -> None:
    response = client_of_alice.post(URL, BODY | members)

    errors = response.json()["errors"]
    assert response.status_code == 400
    assert field in [error["field"] for error in errors]
    assert detail is None or detail in [error["detail"] for error in errors]
    assert not ApiKey.objects.exists()


def test_webhook_in_a_private_network_is_refused(client_of_alice: APIClient) -> None:
    response = client_of_alice.post(URL, BODY | {"webhook": "http://10.0.0.1/hook"})

    assert (response.status_code, response.json()["code"]) == (422, "blocked_address")


def test_staff_may_have_a_key_with_admin(client_of_operator: APIClient) -> None:
    body = client_of_operator.post(URL, BODY | {"scopes": ["admin"]}).json()

    assert Client().get("/queue/stats", headers=bearer(body["key"])).status_code == 200


def test_list_has_own_keys_without_revoked_ones(
    client_of_alice: APIClient, alice: User, bob: User
) -> None:
    make_key(bob, "read")
    make_key(alice, "read", name="Revoked", revoked_at=timezone.now())
    make_key(alice, "read", name="Expired", expires_at=timezone.now())
    make_key(alice, "read", "start", name="Newest")

    listed = client_of_alice.get(URL).json()["results"]

    assert [key["name"] for key in listed] == ["Newest", "Expired"]
    assert listed[0]["scopes"] == ["read", "start"]


def test_key_can_be_renamed(client_of_alice: APIClient, alice: User) -> None:
    make_key(alice, "read")
    url = f"{URL}/{ApiKey.objects.get().pk}"

    response = client_of_alice.patch(url, {"name": "Weekly export"})
    refused = client_of_alice.patch(url, {"name": "Weekly", "scopes": ["admin"]})

    assert (response.status_code, response.json()["name"]) == (200, "Weekly export")
    assert refused.status_code == 400
    assert ApiKey.objects.get().scopes == ["read"]


def test_revoked_key_is_refused_at_once(client_of_alice: APIClient, alice: User) -> None:
    key = make_key(alice, "read")
    url = f"{URL}/{ApiKey.objects.get().pk}"
    assert Client().get("/v1/download/jobs", headers=bearer(key)).status_code == 200

    responses = [client_of_alice.delete(url) for _ in range(2)]
    refused = Client().get("/v1/download/jobs", headers=bearer(key))

    assert [response.status_code for response in responses] == [204, 204]
    assert (refused.status_code, refused.json()["detail"]) == (401, "The API key was revoked.")
    assert client_of_alice.get(url).status_code == 404
    assert client_of_alice.patch(url, {"name": "x"}).status_code == 404


def test_second_revocation_keeps_the_time_of_the_first(alice: User) -> None:
    make_key(alice, "read")
    assert ApiKey.objects.all().revoke() == 1
    first = ApiKey.objects.get().revoked_at

    assert ApiKey.objects.all().revoke() == 0
    assert ApiKey.objects.get().revoked_at == first


@pytest.mark.parametrize(("is_hidden", "status"), [(False, 403), (True, 404)])
@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_keys_of_others_are_out_of_reach(
    client_of_alice: APIClient,
    client_of_operator: APIClient,
    bob: User,
    method: str,
    is_hidden: bool,
    status: int,
    settings: Any,
) -> None:
    settings.HIDE_FOREIGN_JOBS = is_hidden
    make_key(bob, "read")
    key = ApiKey.objects.get()

    for client in (client_of_alice, client_of_operator):
        response = getattr(client, method)(f"{URL}/{key.pk}", {"name": "Mine"})
        unknown = getattr(client, method)(f"{URL}/{uuid4()}", {"name": "Mine"})

        assert (response.status_code, unknown.status_code) == (status, 404)
    after = ApiKey.objects.get()
    assert (after.name, after.revoked_at) == (key.name, None)


def test_anonymous_callers_are_refused(alice: User) -> None:
    make_key(alice, "read")
    urls = [URL, f"{URL}/{ApiKey.objects.get().pk}"]

    for url in urls:
        assert Client().get(url).status_code == 401
    assert Client().post(URL, BODY, "application/json").status_code == 401


def test_access_token_may_create_a_key(alice: User) -> None:
    token = str(AccessToken.for_user(alice))

    response = Client().post(URL, BODY, "application/json", headers=bearer(token))

    assert response.status_code == 201


def test_session_needs_the_csrf_token_to_create_a_key(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)

    response = client.post(URL, BODY, "application/json")

    assert (response.status_code, response.json()["code"]) == (403, "csrf")
    assert not ApiKey.objects.exists()


def test_wrong_method_names_the_right_ones(client_of_alice: APIClient) -> None:
    response = client_of_alice.put(URL, BODY)

    assert (response.status_code, response["Allow"]) == (405, "GET, POST, HEAD, OPTIONS")


# Limits


@pytest.fixture
def at_most_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "MAX_KEYS", 2)
    monkeypatch.setattr(api_keys, "REVOKED_KEPT", 2)


@pytest.mark.usefixtures("at_most_two")
def test_owner_has_a_limited_number_of_keys(client_of_alice: APIClient, bob: User) -> None:
    make_key(bob, "read")

    statuses = [client_of_alice.post(URL, BODY).status_code for _ in range(3)]
    response = client_of_alice.post(URL, BODY)

    assert statuses == [201, 201, 429]
    assert response.json()["code"] == "too_many_keys"


@pytest.mark.usefixtures("at_most_two")
def test_old_revoked_keys_are_deleted(client_of_alice: APIClient, alice: User) -> None:
    for n in range(4):
        make_key(alice, "read", name=f"{n}", revoked_at=timezone.now() - timedelta(days=n))

    assert client_of_alice.post(URL, BODY).status_code == 201

    assert set(ApiKey.objects.values_list("name", flat=True)) == {"0", "1", "Nightly export"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("at_most_two")
def test_two_requests_at_once_do_not_exceed_the_limit(alice: User) -> None:
    make_key(alice, "read")
    created: list[str | None] = []

    def create() -> None:
        try:
            created.append(create_api_key(ApiKey(owner=alice, name="x", scopes=["read"])))
        except TooManyKeys:
            created.append(None)
        finally:
            connection.close()

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len([key for key in created if key]) == 1
    assert ApiKey.objects.count() == 2


def test_the_same_form_twice_makes_one_key(alice: User) -> None:
    of_form = uuid4()

    keys = [
        create_api_key(ApiKey(pk=of_form, owner=alice, name="x", scopes=["read"])) for _ in range(2)
    ]

    assert [key is None for key in keys] == [False, True]
    assert ApiKey.objects.count() == 1


# Use


@pytest.mark.django_db(transaction=True)
def test_last_use_is_recorded_to_the_minute(alice: User) -> None:
    key = make_key(alice, "read")
    for _ in range(3):
        Client().get("/v1/download/jobs", headers=bearer(key))

    until(lambda: ApiKey.objects.get().last_used_at)

    first = ApiKey.objects.get()
    ApiKey.objects.all().record_use(first.digest)
    assert ApiKey.objects.get().last_used_at == first.last_used_at
    ApiKey.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    ApiKey.objects.all().record_use(first.digest)
    assert timezone.now() - ApiKey.objects.get().last_used_at < timedelta(seconds=30)  # type: ignore[operator]


@pytest.mark.django_db(transaction=True)
def test_refused_key_is_not_used(alice: User) -> None:
    key = make_key(alice, "upload")

    Client().get("/v1/download/jobs", headers=bearer(key))

    assert ApiKey.objects.get().last_used_at is None


# Jobs that a key starts


@pytest.fixture
def files(db: None, broker: Any) -> None:
    StoredFileFactory(file_id=70000)


def start(key: str, path: str = "/v1/download/initiate", **body: Any) -> DownloadJob:
    response = Client().post(
        path, {"file_ids": [70000]} | body, "application/json", headers=bearer(key)
    )
    assert response.status_code == 202, response.content
    return DownloadJob.objects.get(pk=response.json()["jobId"])


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("path", ["/v1/download/initiate", "/v1/jobs/bundle"])
def test_job_notifies_the_webhook_of_its_key(alice: User, path: str) -> None:
    Preferences.objects.create(owner=alice, webhook="https://example.org/general")
    with_hook, without = make_key(alice, webhook=HOOK), make_key(alice)

    assert start(with_hook, path).webhook == HOOK
    assert start(with_hook, path, webhook="https://example.org/own").webhook.endswith("/own")
    assert start(with_hook, path, webhook=None).webhook == ""
    assert start(without, path).webhook == "https://example.org/general"


@pytest.mark.usefixtures("files", "delete_uploads")
def test_upload_notifies_the_webhook_of_its_key(alice: User) -> None:
    key = make_key(alice, webhook=HOOK)
    file = BytesIO(b"plain text")
    file.name = "notes.txt"

    response = Client().post("/upload", {"file": file}, headers=bearer(key))

    assert response.status_code == 202, response.content
    assert DownloadJob.objects.get().webhook == HOOK


def page_of(job: DownloadJob) -> str:
    client = Client()
    client.force_login(job.owner)
    return client.get(f"/downloads/{job.pk}", headers=BROWSER).content.decode()


@pytest.mark.usefixtures("files")
def test_history_names_the_key(alice: User) -> None:
    key = make_key(alice)

    job = start(key)

    assert job.events.get().detail == key[:10]
    assert f"With the API key {key[:10]}…" in page_of(job)


def test_history_of_another_job_names_none(alice: User) -> None:
    assert "With the API key" not in page_of(JobFactory(owner=alice))


@pytest.mark.usefixtures("files")
def test_repeated_request_with_another_key_gets_the_same_job(alice: User) -> None:
    """An idempotency key is the owner's, whatever the request is authenticated by."""

    def send(key: str) -> Any:
        headers = bearer(key) | {"Idempotency-Key": "monday"}
        body = {"file_ids": [70000]}
        return Client().post("/v1/download/initiate", body, "application/json", headers=headers)

    first, second = send(make_key(alice, webhook=HOOK)), send(make_key(alice))

    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json()["jobId"] == first.json()["jobId"]
    assert second["Idempotency-Replayed"] == "true"
