"""The API in a browser: each address is a page with the response, links and a JSON form."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import DownloadJob
from jobs.web.browsable import linked_browsable_text
from tests.factories import JobFactory
from tests.pages.looks import BROWSER, INLINE, text


@pytest.fixture
def visitor(alice: User) -> Client:
    """Return a client signed in as Alice."""
    client = Client(headers=BROWSER)
    client.force_login(alice)
    return client


def test_every_address_is_a_page_without_inline_code(
    visitor: Client, queued_job: DownloadJob
) -> None:
    for path, status in {
        "/v1/download/jobs": 200,
        "/v1/download/jobs?limit=0": 400,
        "/v1/download/initiate": 405,
        f"/v1/download/status/{queued_job.pk}": 200,
        f"/v1/download/{queued_job.pk}": 409,
        f"/v1/download/{UUID(int=1)}": 404,
        f"/admin/retry/{queued_job.pk}": 403,
        "/v1/auth/token": 405,
    }.items():
        response = visitor.get(path)
        assert (response.status_code, response["Content-Type"][:9]) == (status, "text/html"), path
        assert f"HTTP {status} " in text(response), path
        assert "Django REST framework" not in text(response), path
        assert not INLINE.search(text(response)), path


def test_the_page_links_to_the_pages_and_sign_out(visitor: Client) -> None:
    page = text(visitor.get("/v1/download/jobs"))

    assert "<h1>Jobs</h1>" in page
    assert 'href="/downloads"' in page
    assert 'method="post" action="/sign-out"' in page


@pytest.mark.django_db
def test_an_anonymous_user_can_sign_in_and_returns() -> None:
    response = Client(headers=BROWSER).get("/v1/download/jobs?limit=5&status=failed")

    assert response.status_code == 401
    assert 'href="/sign-in?next=/v1/download/jobs%3Flimit%3D5%26status%3Dfailed"' in text(response)
    assert 'action="/sign-out"' not in text(response)


@pytest.mark.parametrize(
    ("path", "sample"),
    [
        ("/v1/download/initiate", '{"file_ids": [70000, 70001, 70002]}'),
        ("/v1/download/check", '{"file_id": 70000}'),
        ("/downloads?format=api", '{"url": "https://data.example/2026/measurements.csv"}'),
        ("/v1/auth/token/refresh", '"refresh": ""'),
    ],
)
def test_the_form_has_sample_json(visitor: Client, path: str, sample: str) -> None:
    page = text(visitor.get(path))

    assert 'data-send="POST"' in page
    assert sample.replace('"', "&quot;") in page
    assert "multipart/form-data" not in page


def test_an_endpoint_without_a_body_has_only_a_button(
    visitor: Client, queued_job: DownloadJob
) -> None:
    page = text(visitor.get(f"/v1/download/{queued_job.pk}/retry"))

    assert 'data-send="POST"' in page
    assert "<textarea" not in page
    assert 'data-send="DELETE"' in text(visitor.get(f"/v1/download/{queued_job.pk}"))


def test_only_urls_in_a_response_are_links() -> None:
    page_html = linked_browsable_text(
        '{"a": "/v1/x?b=1&c", "n": "<b>", "u": "https://x.io/?\'", "t": "see /v1/x"}'
    )

    assert re.findall(r"<.*?>", page_html) == [
        '<a href="/v1/x?b=1&amp;c">',
        "</a>",
        '<a href="https://x.io/?&#x27;">',
        "</a>",
    ]


def test_names_are_escaped(visitor: Client, alice: User) -> None:
    JobFactory(owner=alice, name='"><script>alert(1)</script>.zip')
    JobFactory(owner=alice, name="javascript:alert(1)//.zip")

    page = text(visitor.get("/v1/download/jobs"))

    assert "<script>alert" not in page
    assert 'href="javascript' not in page


def test_a_list_is_filtered_and_paged(visitor: Client, alice: User) -> None:
    for _ in range(3):
        JobFactory(owner=alice)

    page = text(visitor.get("/v1/download/jobs?limit=2&status=queued"))

    assert '<select name="status"' in page
    assert ">Name or ID<" in page
    assert 'rel="next"' in page
    assert 'rel="prev"' not in page


def test_other_clients_get_json(visitor: Client) -> None:
    for accept in ("application/json", "*/*"):
        response: Any = visitor.get("/v1/download/jobs", headers={"Accept": accept})
        assert response["Content-Type"] == "application/json"
