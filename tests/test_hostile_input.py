"""Invalid or hostile requests get 4xx, never 500."""

from __future__ import annotations

import base64
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, UnreadablePostError
from django.test import Client
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from jobs.models import DownloadJob
from tests.factories import JobFactory

INITIATE, CHECK, TOKEN = "/v1/download/initiate", "/v1/download/check", "/v1/auth/token"
LINKS = "/downloads"
BODIES = {
    "deep": b'{"file_ids": ' + b"[" * 4_000 + b"]" * 4_000 + b"}",
    "deep objects": b'{"a":' * 1_300 + b"1" + b"}" * 1_300,
    "surrogate value": rb'{"file_ids": [70000], "name": "\ud800"}',
    "surrogate name": rb'{"\ud800": 1}',
    "name twice": b'{"file_ids": [70000], "file_ids": [70001]}',
    "NaN": b'{"file_ids": [NaN]}',
    "NUL": b'{"file_ids": [70000], "name": "\\u0000"}',
    "raw NUL": b'{"file_ids": [70000]}\x00',
    "not UTF-8": b'{"name": "\xff"}',
    "UTF-16": '{"file_ids": [70000]}'.encode("utf-16"),
    "UTF-32": '{"file_ids": [70000]}'.encode("utf-32-le"),
    "nothing in it": b" ",
    "a number": b"1e999",
    "a huge number": b'{"file_ids": [' + b"9" * 5_000 + b"]}",
}


def send(client: APIClient, url: str, body: bytes) -> Any:
    return client.generic("POST", url, body, content_type="application/json")


@pytest.mark.parametrize("url", [INITIATE, CHECK, TOKEN, LINKS])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_invalid_json_is_400(client_of_alice: APIClient, url: str, body: bytes) -> None:
    response = send(client_of_alice, url, body)

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert not DownloadJob.objects.exists()


def test_a_body_that_is_too_long_is_413(client_of_alice: APIClient) -> None:
    response = send(client_of_alice, INITIATE, b'{"file_ids": [' + b"70000," * 900_000 + b"1]}")

    assert (response.status_code, response.json()["code"]) == (413, "too_large")


def test_a_form_that_is_too_long_is_413(client: Client, alice: User) -> None:
    client.force_login(alice)
    form = "file=70000&" * 100_000

    answer = client.post("/downloads", form, "application/x-www-form-urlencoded")

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert not DownloadJob.objects.exists()


def test_a_too_long_content_length_is_413_unread(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = Mock()
    monkeypatch.setattr(HttpRequest, "read", reading)

    response = send(client_of_alice, INITIATE, bytes(1_000_001))

    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    reading.assert_not_called()


def test_a_missing_body_is_408(client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def silence(self: HttpRequest, *args: Any) -> bytes:
        raise UnreadablePostError("timed out")

    monkeypatch.setattr(HttpRequest, "read", silence)

    response = client_of_alice.post(INITIATE, {"file_ids": [70000]})

    assert (response.status_code, response.json()["code"]) == (408, "slow_body")


def test_only_the_first_invalid_ids_are_reported(client_of_alice: APIClient) -> None:
    response = client_of_alice.post(INITIATE, {"file_ids": ["x"] * 1_000})

    assert len(response.json()["errors"]) == 20


def test_the_largest_number_of_ids_is_accepted(client_of_alice: APIClient) -> None:
    response = client_of_alice.post(INITIATE, {"file_ids": list(range(10_000, 110_000))})

    assert response.status_code == 202
    assert response.json()["totalFileIds"] == 100_000


CURSORS = [
    "p=abc",
    "p=%00",
    "p=2020-13-45",
    "p=99999-01-01",
    "p=0001-01-01 00:00:00%2B23:59",
    "o=x",
]


@pytest.mark.parametrize(
    "query",
    [f"cursor={base64.b64encode(text.encode()).decode()}" for text in CURSORS]
    + ["cursor=garbage", "cursor=%00", "limit=0", "limit=-1", "limit=1e9", "limit=abc", "limit=101"]
    + ["status=%00", "search=%00", "search=" + "x" * 101],
)
@pytest.mark.parametrize("url", ["/v1/download/jobs", LINKS])
def test_an_invalid_list_query_is_400(client_of_alice: APIClient, url: str, query: str) -> None:
    response = client_of_alice.get(f"{url}?{query}")

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("query", ["kind=%00", "status__in=%00", "error_code__exact=%00", "q=%00"])
def test_a_nul_in_an_admin_address_is_400(client: Client, operator: User, query: str) -> None:
    client.force_login(operator)

    assert client.get(f"/admin/jobs/downloadjob/?{query}").status_code == 400


def test_an_admin_action_on_an_invalid_id_is_reported(client: Client, operator: User) -> None:
    client.force_login(operator)
    chosen = {"action": "cancel_selected", "_selected_action": ["abc"]}

    page = client.post("/admin/jobs/downloadjob/", chosen, follow=True)

    assert "That is not one of the choices." in page.content.decode()


@pytest.mark.parametrize("path", ["/docs", "/openapi", INITIATE, LINKS, "/health"])
@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PATCH", "BREW"])
def test_unknown_methods_are_no_500(client_of_alice: APIClient, path: str, method: str) -> None:
    assert client_of_alice.generic(method, path).status_code < 500


@pytest.mark.parametrize(
    "path", ["/", "/sign-out", "/health", "/health/live", "/static/jobs/style.css"]
)
def test_an_unsupported_method_is_a_problem(client: Client, path: str) -> None:
    answer = client.patch(path)

    assert (answer.status_code, answer["Content-Type"]) == (405, "application/problem+json")
    assert answer.json()["code"] == "method_not_allowed"
    assert answer["Allow"]
    page = client.patch(path, headers={"Accept": "text/html"})
    assert answer["Allow"] in page.content.decode()


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "BREW"])
@pytest.mark.parametrize("path", ["/", "/link", "/sign-in", "/sign-out", "/theme", "/admin/"])
def test_an_unsupported_method_needs_no_csrf_token(path: str, method: str, alice: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)

    answer = browser.generic(method, path)

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert method not in answer["Allow"]
    assert "POST" in answer["Allow"]
    assert answer.json()["requestId"] == answer["X-Request-ID"]
    assert browser.post(path).status_code == 403


@pytest.mark.parametrize("accept", ["application/xml", "text/csv", "nonsense", "*/*;q=0"])
def test_an_unsupported_accept_is_a_406_problem(client_of_alice: APIClient, accept: str) -> None:
    response = client_of_alice.get("/v1/download/jobs", headers={"Accept": accept})

    assert response.status_code in (200, 406)
    if response.status_code == 406:
        assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("accept", ["", " ", ",", "*", "image/gif, * ; q=.2"])
@pytest.mark.parametrize(
    "path", ["/v1/download/jobs", "/openapi", "/docs", "/downloads", "/health"]
)
def test_an_empty_accept_allows_anything(
    client_of_alice: APIClient, path: str, accept: str
) -> None:
    plain = client_of_alice.get(path, headers={"Accept": "*/*"})

    response = client_of_alice.get(path, headers={"Accept": accept})

    assert response.status_code == plain.status_code
    assert response["Content-Type"] == plain["Content-Type"]


@pytest.mark.parametrize("scheme", ["BEARER", "bearer", "bEaReR"])
def test_the_auth_scheme_is_case_insensitive(alice: User, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {AccessToken.for_user(alice)}"}

    assert APIClient().get("/v1/download/jobs", headers=headers).status_code == 200
    other = headers | {"Authorization": f"{scheme}x a"}
    assert APIClient().get("/v1/download/jobs", headers=other).status_code == 401


@pytest.mark.parametrize("coding", ["Identity", "IDENTITY, identity", ""])
def test_identity_encoding_is_accepted_in_any_case(client_of_alice: APIClient, coding: str) -> None:
    headers = {"Content-Encoding": coding}

    json = client_of_alice.post(INITIATE, {"file_ids": [70000]}, headers=headers)
    form = client_of_alice.post("/upload", {}, "multipart", headers=headers)
    typed = client_of_alice.generic("POST", INITIATE, "{}", "Application/JSON", headers=headers)

    assert json.status_code == 202
    assert typed.json()["code"] == "invalid"
    assert form.json()["code"] == "no_file"


def test_ids_in_urls_are_case_insensitive(client_of_alice: APIClient, alice: User) -> None:
    job = JobFactory(owner=alice)
    upper = str(job.pk).upper()

    for path in ("/v1/download/status/{}", "/status/{}", "/downloads/{}/status", "/downloads/{}"):
        response = client_of_alice.get(path.format(upper))
        assert (response.status_code, response.json()["jobId"]) == (200, str(job.pk)), path
    page = client_of_alice.get(f"/downloads/{upper}", headers={"Accept": "text/html"})
    assert page.status_code == 302  # redirects to sign-in
    assert client_of_alice.delete(f"/v1/download/{upper}").status_code == 200


def test_foreign_jobs_can_be_hidden(client_of_alice: APIClient, bob: User, settings: Any) -> None:
    job = JobFactory(owner=bob)
    settings.HIDE_FOREIGN_JOBS = True

    assert client_of_alice.get(f"/v1/download/status/{job.pk}").status_code == 404


def test_an_unavailable_database_is_503(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("secret address")

    monkeypatch.setattr("jobs.web.api.downloads.submit_job", away)

    response = client_of_alice.post(INITIATE, {"file_ids": [70000]})

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "secret" not in response.content.decode()


def test_a_page_without_a_database_is_503_too(
    client: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import InterfaceError

    def away(*args: Any, **kwargs: Any) -> None:
        raise InterfaceError("secret address")

    client.force_login(alice)
    client.raise_request_exception = False
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", away)

    response = client.get("/", headers={"Accept": "text/html"})

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert b"Not available right now" in response.content
    assert b"secret" not in response.content
