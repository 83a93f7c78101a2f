"""Security and cache headers of every response."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from jobs.models import DownloadJob
from jobs.states import Status
from tests.factories import JobFactory

NOWHERE = UUID(int=1)
NONCE = re.compile("'nonce-([^']+)'")
EXPECTED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PRIVATE = "private, no-store"


def directives(response: Any) -> dict[str, list[str]]:
    """Return the directives of the Content-Security-Policy, without the nonce."""
    policy = NONCE.sub("", response["Content-Security-Policy"])
    parts = [part.split() for part in policy.split(";")]
    return {name: sources for name, *sources in parts}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 302),
        ("/sign-in", {}, 200),
        ("/docs", {}, 200),
        ("/docs?script=", {}, 200),
        ("/openapi", {}, 200),
        ("/admin/", {}, 302),
        ("/admin/login/", {}, 200),
        ("/static/jobs/style.css", {}, 200),
        ("/static/nothing.css", {}, 404),
        ("/health", {}, 200),
        ("/health/live", {"Host": "10.1.2.3"}, 200),
        ("/v1/download/jobs", {}, 401),
        ("/v1/download/jobs", {"Accept": "text/html"}, 401),
        ("/v1/nowhere", {}, 404),
        ("/nowhere", {"Accept": "text/html"}, 404),
        ("/docs", {"Host": "evil.example"}, 400),
        ("/docs?x=%00", {}, 400),
    ],
)
def test_every_response_has_security_headers(
    client: Client, bucket: Any, db: None, path: str, headers: dict[str, str], status: int
) -> None:
    response = client.get(path, headers=headers)

    response.getvalue()  # else a static file stays open
    assert response.status_code == status
    assert {name: response.get(name) for name in EXPECTED} == EXPECTED
    assert "camera=()" in response["Permissions-Policy"]
    assert directives(response)["script-src"] == ["'self'"]
    assert directives(response)["style-src"] == ["'self'"]
    assert directives(response)["frame-ancestors"] == ["'none'"]


@pytest.mark.parametrize("host", ["evil.example", "testserver"])
def test_a_redirect_to_https_has_the_same_headers(settings: Any, host: str) -> None:
    settings.SECURE_SSL_REDIRECT = True

    response = Client().get("/docs", headers={"Host": host})

    assert response.status_code == (301 if host == "testserver" else 400)
    assert {name: response.get(name) for name in EXPECTED} == EXPECTED


def test_hsts_is_sent_over_https(settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 3600

    answers = {secure: Client().get("/nowhere", secure=secure) for secure in (True, False)}

    assert answers[True]["Strict-Transport-Security"].startswith("max-age=3600")
    assert "Strict-Transport-Security" not in answers[False]


def test_pages_forbid_inline_scripts(client: Client, operator: User) -> None:
    client.force_login(operator)
    browser = {"Accept": "text/html"}

    for path in ("/", "/downloads", "/admin/", "/docs", "/v1/download/jobs"):
        policy = directives(client.get(path, headers=browser))
        assert policy["script-src"] == policy["default-src"] == ["'self'"], path


def test_errors_have_security_headers_too(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("jobs.web.api.downloads.submit_job", bug)
    client_of_alice.raise_request_exception = False
    answers = [
        client_of_alice.post("/v1/download/initiate", {"file_ids": [70000], "name": name})
        for name in ("x", "x" * 2_000_000)
    ]

    assert [answer.status_code for answer in answers] == [500, 413]
    for answer in answers:
        assert {name: answer.get(name) for name in EXPECTED} == EXPECTED
        assert answer["Cache-Control"] == PRIVATE


def test_downloads_send_no_referrer(
    client_of_alice: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job: DownloadJob = JobFactory(owner=alice, status=Status.COMPLETED)
    monkeypatch.setattr("jobs.storage.object_exists", lambda *args: True)

    response = client_of_alice.get(f"/v1/download/{job.pk}")

    assert response.status_code == 302
    assert response["Referrer-Policy"] == "no-referrer"


def test_only_static_files_are_cached(client: Client) -> None:
    response = client.get("/static/jobs/style.css")

    response.getvalue()
    assert "max-age" in response["Cache-Control"]
    assert "Cookie" not in response.get("Vary", "")
    assert "Access-Control-Allow-Origin" not in response


def addresses_of_the_api() -> list[str]:
    from tests.routes import routes

    paths = [str(url.pattern) for url in routes()]
    of_api = [path for path in paths if path.startswith(("v1/", "status/", "admin/", "openapi"))]
    return ["/" + path.replace("<job:job_id>", str(NOWHERE)) for path in of_api]


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.django_db
def test_api_responses_are_not_cached(alice: User, accept: str, signed_in: bool) -> None:
    client = APIClient(headers={"Accept": accept})
    client.force_authenticate(alice if signed_in else None)
    paths = addresses_of_the_api()

    assert len(paths) > 10
    for path in paths:
        for method in ("GET", "POST", "DELETE", "OPTIONS"):
            response = client.generic(method, path, "{", "application/json")
            said = f"{method} {path}: {response.status_code} {response.headers}"
            assert response["Cache-Control"] == PRIVATE, said
            vary = {name.strip() for name in response["Vary"].split(",")}
            assert {"Accept", "Authorization", "Cookie"} <= vary, said


def test_tokens_are_not_cached(alice: User) -> None:
    client = APIClient()
    login = {"username": "alice", "password": "correct horse"}

    given = client.post("/v1/auth/token", login)
    anew = client.post("/v1/auth/token/refresh", {"refresh": given.json()["refresh"]})

    assert (given.status_code, anew.status_code) == (200, 200)
    assert given["Cache-Control"] == anew["Cache-Control"] == PRIVATE


def test_scripts_have_a_new_nonce_each_time(client: Client, alice: User) -> None:
    client.force_login(alice)

    pages = [client.get("/") for _ in range(2)]

    nonces: list[str] = []
    for page in pages:
        nonces += NONCE.findall(page["Content-Security-Policy"])
        text = page.content.decode()
        assert text.count("<script") == text.count(f'nonce="{nonces[-1]}"') > 0
    assert nonces[0] != nonces[1]
