"""Addresses with both a page and JSON: content negotiation, authentication and CSRF."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework_simplejwt.tokens import AccessToken

from jobs.models import DownloadJob
from jobs.states import Status
from jobs.web.pages.access import COOKIE_IS_GONE
from jobs.web.problems import PROBLEM
from tests.factories import JobFactory
from tests.pages.looks import BROWSER

LINK = {"url": "https://data.example/a.csv"}
FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
PAGE, JSON = "text/html; charset=utf-8", "application/json"


@pytest.fixture
def alice_client(alice: User) -> Client:
    """Return a client with Alice's session that enforces CSRF."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    return client


def bearer(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {AccessToken.for_user(user)}"}


def type_of(answer: Any) -> str:
    return str(answer.headers.get("Content-Type", ""))


@pytest.mark.parametrize("path", ["/downloads", "/downloads/{job}", "/reports"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [
        ("", BROWSER, PAGE),
        ("", {"Accept": "text/html"}, PAGE),
        ("", {"HX-Request": "true", "Accept": "*/*"}, PAGE),
        ("", {}, JSON),
        ("", {"Accept": "*/*"}, JSON),
        ("", {"Accept": "application/json"}, JSON),
        ("", {"Accept": "application/json, text/html"}, JSON),
        ("", {"Accept": "text/html;q=0.8, application/json"}, JSON),
        ("?format=json", BROWSER, JSON),
        ("?format=json", {"HX-Request": "true"}, JSON),
    ],
)
def test_clients_that_prefer_html_get_a_page_and_others_json(
    alice_client: Client,
    alice: User,
    path: str,
    method: str,
    query: str,
    headers: dict[str, str],
    expected: str,
) -> None:
    job = JobFactory(owner=alice)

    answer = alice_client.generic(method, path.format(job=job.pk) + query, headers=headers)

    assert (answer.status_code, type_of(answer)) == (200, expected)
    assert {"Accept", "Cookie"} <= {each.strip() for each in answer["Vary"].split(",")}
    assert answer["Cache-Control"] == "private, no-store"


def test_the_browsable_api_is_at_the_same_address(alice_client: Client, alice: User) -> None:
    job = JobFactory(owner=alice)

    listed = alice_client.get("/downloads?format=api", headers=BROWSER).content.decode()
    as_api = alice_client.get(f"/downloads/{job.pk}?format=api", headers=BROWSER).content.decode()

    assert "HTTP 200 OK" in listed
    assert 'data-send="POST"' in listed
    assert "https://data.example" in listed
    assert 'data-send="DELETE"' in as_api
    assert "<h1>Job</h1>" in as_api


def test_requests_with_a_token_always_get_json(alice: User) -> None:
    for headers in (BROWSER, {"Accept": "*/*"}):
        answer = Client().get("/downloads", headers=headers | bearer(alice))
        assert answer.status_code == 200, headers

    form = Client().post("/downloads", LINK, FORM, headers=bearer(alice))

    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.django_db
def test_without_a_session_a_page_redirects_and_the_api_is_401() -> None:
    for path in ("/downloads", f"/downloads/{JobFactory().pk}"):
        page, as_api = Client().get(path, headers=BROWSER), Client().get(path)

        assert (page.status_code, page["Location"]) == (302, f"/sign-in?next={path}")
        assert (as_api.status_code, as_api["Content-Type"]) == (401, PROBLEM)
        assert as_api["WWW-Authenticate"]


def test_a_form_without_a_csrf_token_is_refused(alice_client: Client) -> None:
    for content_type in (FORM, MULTIPART):
        page = alice_client.post("/downloads", "file=70000", content_type, headers=BROWSER)

        assert page.status_code == 403
        assert f"{COOKIE_IS_GONE} Nothing was changed." in unescape(page.content.decode())
    assert not DownloadJob.objects.exists()


def test_a_form_with_a_csrf_token_is_accepted(alice_client: Client) -> None:
    alice_client.get("/", headers=BROWSER)
    token = alice_client.cookies["csrftoken"].value

    answer = alice_client.post(
        "/downloads", f"file=70000&file=70001&csrfmiddlewaretoken={token}", FORM, headers=BROWSER
    )

    assert answer.status_code == 303
    assert DownloadJob.objects.count() == 1


@pytest.mark.parametrize("content_type", [JSON, "text/plain", "", "application/json; x=form-data"])
def test_the_api_refuses_a_session_without_a_csrf_token(
    alice_client: Client, content_type: str
) -> None:
    """Sent as by another site's page: with her cookie and without a preflight."""
    answer = alice_client.post("/downloads", LINK, content_type)

    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
    assert not DownloadJob.objects.exists()


def test_a_session_with_a_csrf_token_can_use_the_api(alice_client: Client, alice: User) -> None:
    job = JobFactory(owner=alice)
    alice_client.get("/", headers=BROWSER)
    token = {"X-CSRFToken": alice_client.cookies["csrftoken"].value}

    posted = alice_client.post("/downloads", LINK, JSON, headers=token)
    refused = alice_client.delete(f"/downloads/{job.pk}")
    cancelled = alice_client.delete(f"/downloads/{job.pk}", headers=token)

    assert posted.status_code == 202
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, Status.CANCELLED)


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/downloads", "PUT", {"GET", "POST", "HEAD", "OPTIONS"}),
        ("/downloads", "DELETE", {"GET", "POST", "HEAD", "OPTIONS"}),
        ("/downloads/{job}", "POST", {"GET", "DELETE", "HEAD", "OPTIONS"}),
        ("/downloads/{job}", "PATCH", {"GET", "DELETE", "HEAD", "OPTIONS"}),
        ("/downloads/{job}/status", "POST", {"GET", "HEAD", "OPTIONS"}),
    ],
)
@pytest.mark.parametrize("content_type", [JSON, FORM])
def test_another_method_is_405_with_all_allowed_methods(
    client: Client, alice: User, path: str, method: str, allowed: set[str], content_type: str
) -> None:
    client.force_login(alice)
    at = path.format(job=JobFactory(owner=alice).pk)

    as_api = client.generic(method, at, b"{}", content_type)
    shown = client.generic(method, at, b"{}", content_type, headers=BROWSER)

    for answer in (as_api, shown):
        assert answer.status_code == 405
        assert {each.strip() for each in answer["Allow"].split(",")} == allowed
    assert (as_api["Content-Type"], as_api.json()["code"]) == (PROBLEM, "method_not_allowed")
    assert type_of(shown) == PAGE


@pytest.mark.parametrize(
    ("path", "method", "content_type", "headers", "expected"),
    [
        ("/downloads?x=%00", "GET", "", BROWSER, PAGE),
        ("/downloads?x=%00", "GET", "", {}, PROBLEM),
        ("/downloads?x=%00&format=json", "GET", "", BROWSER, PROBLEM),
        ("/downloads?x=%00", "POST", FORM, BROWSER, PAGE),
        ("/downloads?x=%00", "POST", JSON, BROWSER, PROBLEM),
        ("/downloads/?", "GET", "", BROWSER, PAGE),
        ("/downloads/nothing", "GET", "", BROWSER, PAGE),
        ("/downloads/nothing", "DELETE", "", {}, PROBLEM),
        ("/downloads/nothing/status", "GET", "", BROWSER | {"Authorization": "bearer x"}, PROBLEM),
    ],
)
def test_an_error_has_the_format_of_the_response(
    path: str, method: str, content_type: str, headers: dict[str, str], expected: str
) -> None:
    answer = Client().generic(method, path, b"x", content_type, headers=headers)

    assert answer.status_code in (400, 404)
    assert type_of(answer) == expected
