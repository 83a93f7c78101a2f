"""Authentication: JWT for programs, sessions for browsers; request ids; problems."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from jobs.models import DownloadJob

STATUS = "/v1/download/jobs"


def token(user: User, **claims: Any) -> str:
    made = AccessToken.for_user(user)
    for name, value in claims.items():
        made[name] = value
    return str(made)


def test_a_password_gives_a_token_that_works(alice: User) -> None:
    client = APIClient()
    login = {"username": "alice", "password": "correct horse"}

    tokens = client.post("/v1/auth/token", login).json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")

    assert client.get(STATUS).status_code == 200
    refreshed = client.post("/v1/auth/token/refresh", {"refresh": tokens["refresh"]})
    assert "access" in refreshed.json()


def test_a_wrong_password_is_401(alice: User) -> None:
    response = APIClient().post("/v1/auth/token", {"username": "alice", "password": "wrong"})

    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == 401


def test_an_expired_or_foreign_token_is_401(alice: User) -> None:
    expired = AccessToken.for_user(alice)
    expired.set_exp(lifetime=-timedelta(minutes=1))
    for bad in (str(expired), token(alice)[:-3] + "abc", "garbage"):
        response = APIClient().get(STATUS, headers={"Authorization": f"Bearer {bad}"})
        assert response.status_code == 401, bad
        assert response["WWW-Authenticate"].startswith("Bearer")


def test_the_token_of_a_deactivated_user_is_401(alice: User) -> None:
    bearer = {"Authorization": f"Bearer {token(alice)}"}
    alice.is_active = False
    alice.save()

    assert APIClient().get(STATUS, headers=bearer).status_code == 401


def test_the_auth_scheme_may_be_lower_case(alice: User) -> None:
    headers = {"Authorization": f"bearer {token(alice)}"}

    assert APIClient().get(STATUS, headers=headers).status_code == 200


def test_a_session_needs_the_csrf_token(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)

    response = client.post(
        "/v1/download/initiate", {"file_ids": [70000]}, content_type="application/json"
    )

    assert response.status_code == 403
    assert not DownloadJob.objects.exists()


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [("abc-123", True), ("x" * 65, False), ("a b", False), ("", False), ("a\tb", False)],
)
def test_a_valid_request_id_is_echoed_and_another_is_replaced(
    client_of_alice: APIClient, sent: str, echoed: bool
) -> None:
    response = client_of_alice.get(STATUS, headers={"X-Request-ID": sent})

    assert (response["X-Request-ID"] == sent) == echoed
    assert echoed or str(UUID(response["X-Request-ID"])) == response["X-Request-ID"]


def test_the_request_id_follows_the_job(client_of_alice: APIClient) -> None:
    response = client_of_alice.post(
        "/v1/download/initiate", {"file_ids": [70000]}, headers={"X-Request-ID": "trace-me"}
    )

    assert DownloadJob.objects.get(pk=response.json()["jobId"]).request_id == "trace-me"


def test_a_problem_has_every_member(client_of_alice: APIClient) -> None:
    response = client_of_alice.post("/v1/download/initiate", {}, headers={"X-Request-ID": "r-1"})

    problem = response.json()
    assert problem["type"] == "about:blank"
    assert problem["title"] == problem["error"] == "Bad Request"
    assert (problem["status"], problem["code"]) == (400, "invalid")
    assert problem["requestId"] == "r-1"
    assert problem["errors"] == [
        {"field": "file_ids", "code": "required", "detail": "This field is required."}
    ]


def test_an_unknown_path_is_a_problem_too(client: Client) -> None:
    response = client.get("/v1/nowhere", headers={"Accept": "application/json"})

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"


def test_a_bug_is_a_problem_without_its_details(
    client_of_alice: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("jobs.web.api.downloads.submit_job", bug)
    client_of_alice.raise_request_exception = False

    response = client_of_alice.post("/v1/download/initiate", {"file_ids": [70000]})

    assert response.status_code == 500
    assert response.json()["code"] == "internal"
    assert "secret" not in response.content.decode()


def test_an_unknown_host_is_refused(client: Client) -> None:
    assert client.get("/docs", headers={"Host": "evil.example"}).status_code == 400


def test_probes_may_use_any_host(client: Client) -> None:
    assert client.get("/health/live", headers={"Host": "10.1.2.3"}).status_code == 200


# Why a form is refused


def refused(client: Client, token: str = "", **sent: Any) -> str:
    """Return the text of the sign-in page after a refused form."""
    form = {"username": "alice", "password": "correct horse"}
    form |= {"csrfmiddlewaretoken": token} if token else {}

    response = client.post("/sign-in", form, **sent)

    assert response.status_code == 403
    return re.sub(r"\s+", " ", response.content.decode())


@pytest.fixture
def stranger(alice: User) -> Client:
    """A client that enforces CSRF."""
    return Client(enforce_csrf_checks=True, headers={"Accept": "text/html"})


def test_the_error_without_cookies_explains_cookies(stranger: Client) -> None:
    said = refused(stranger, token="x" * 32)

    assert "This site needs cookies." in said
    assert "open for too long" not in said


def test_the_error_for_a_missing_cookie_explains_it(stranger: Client) -> None:
    stranger.cookies["theme"] = "dark"

    assert "A cookie of this page was deleted or blocked" in refused(stranger)


def test_errors_for_a_missing_and_an_old_token_explain_them(
    stranger: Client,
) -> None:
    stranger.get("/sign-in")

    assert "The form has no CSRF token" in refused(stranger)
    assert "This page was open for too long, or you signed in again." in refused(
        stranger, token="x" * 32
    )


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_the_error_for_another_site_explains_it(stranger: Client, headers: dict[str, str]) -> None:
    stranger.get("/sign-in")
    token = stranger.cookies["csrftoken"].value

    assert "sent from another site" in refused(stranger, token=token, headers=headers)


def test_the_error_for_a_missing_referrer_explains_it(stranger: Client) -> None:
    stranger.get("/sign-in", secure=True)
    token = stranger.cookies["csrftoken"].value

    assert "hides where it came from" in refused(stranger, token=token, secure=True)


def test_an_upload_without_cookies_explains_cookies(alice: User) -> None:
    client = Client(enforce_csrf_checks=True, headers={"Accept": "text/html"})
    client.force_login(alice)
    head = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a"'
    body = head + b"\r\n\r\nx\r\n--cut--\r\n"

    response = client.post("/upload", body, content_type="multipart/form-data; boundary=cut")

    assert response.status_code == 403
    assert "A cookie of this page" in response.content.decode()
