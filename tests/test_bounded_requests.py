"""Forms, queries and headers that are too long are refused unread."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client

from tests.pages.looks import BROWSER

URLENCODED = "application/x-www-form-urlencoded"
ANSWER_BYTES = 8_000


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "most"),
    [("/sign-in", 8 * 1024), ("/admin/login/", 32 * 1024), ("/downloads", 32 * 1024)],
)
@pytest.mark.parametrize("kind", [URLENCODED, "multipart/form-data; boundary=x"])
def test_a_form_that_is_too_long_is_413_unread(path: str, most: int, kind: str) -> None:
    client = Client(enforce_csrf_checks=True)  # Django looks for the CSRF token in the form
    client.cookies["csrftoken"] = "x" * 32

    longer = client.generic("POST", path, b"%" * (most + 1), kind)

    assert (longer.status_code, longer.json()["code"]) == (413, "too_large")
    assert longer.json()["detail"] == f"A form may have at most {most:,} bytes."


@pytest.mark.django_db
def test_the_longest_form_is_read() -> None:
    assert Client().generic("POST", "/sign-in", b"a" * 8 * 1024, URLENCODED).status_code == 200


def test_the_longest_form_has_room_for_the_most_files() -> None:
    assert len("file=100000000&" * 1_000) < 32 * 1024


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/sign-in", "/admin/login/"])
def test_a_too_long_name_is_not_returned(path: str) -> None:
    page = Client().post(path, {"username": '"' * 2_000, "password": "x"})

    assert page.status_code == 200
    assert page.content.count(b"&quot;" * 150) == 1
    assert b"&quot;" * 151 not in page.content


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/sign-in", "/v1/download/jobs", "/nowhere", "/docs"])
@pytest.mark.parametrize("query", ["&" * 1_000, "&".join(f"k{n}" for n in range(1_001))])
def test_a_query_of_too_many_names_is_400(path: str, query: str) -> None:
    for headers in ({}, BROWSER):
        answer = Client(headers=headers).get(f"{path}?{query}")

        assert answer.status_code == 400
        assert len(answer.content) < ANSWER_BYTES


HEADERS = {
    "Accept": "text/html" + ";" * 992,
    "If-None-Match": "," * 1_001,
    "Cookie": "a=" + "a" * 8_200,
    "Authorization": "Bearer " + "a" * 8_200,
    "X-Forwarded-For": "1.1.1.1," * 1_100,
    "Accept-Encoding": "gzip," * 1_700,
    "Range": "bytes=" + "0-1," * 2_100,
}


@pytest.mark.parametrize("path", ["/", "/v1/download/jobs", "/static/jobs/style.css"])
@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_is_too_long_is_431(path: str, name: str) -> None:
    answer = Client(headers=BROWSER).get(path, headers={name: HEADERS[name]})

    assert (answer.status_code, answer["Content-Type"]) == (431, "application/problem+json")
    assert answer.json()["code"] == "headers_too_large"
    assert answer["X-Request-ID"]


def test_a_content_type_that_is_too_long_is_431(client: Client) -> None:
    answer = client.generic("POST", "/upload", b"x", "multipart/form-data" + ";a=b" * 300)

    assert answer.status_code == 431


def test_a_cookie_of_escapes_is_431(client: Client) -> None:
    assert client.get("/sign-in", headers={"Cookie": 'a="%s"' % ("\\1" * 201)}).status_code == 431


@pytest.mark.django_db
def test_a_cookie_as_browsers_send_it_is_accepted(client: Client) -> None:
    cookie = "; ".join(f"name-{n}={uuid4()}" for n in range(160)) + r'; a="\054\""'

    assert 7_000 < len(cookie) < 8_190
    assert client.get("/sign-in", headers={"Cookie": cookie}).status_code == 200
