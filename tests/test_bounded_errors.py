"""An error response names a few errors, each of them short, whatever was sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from tests.pages.looks import BROWSER

TOKEN, CHECK, INITIATE = "/v1/auth/token", "/v1/download/check", "/v1/download/initiate"
ANYBODYS = [TOKEN, f"{TOKEN}/refresh", f"{TOKEN}/revoke", CHECK]
ANSWER_BYTES, PAGE_BYTES = 8_000, 60_000


def names(count: int) -> bytes:
    return json.dumps({f"k{n}": n for n in range(count)}).encode()


def send(client: Client, path: str, body: bytes) -> Any:
    return client.generic("POST", path, body, "application/json")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ANYBODYS)
def test_many_unknown_names_are_a_few_errors_and_a_count(path: str) -> None:
    answer = send(Client(), path, names(90))

    errors = answer.json()["errors"]
    assert answer.status_code == 400
    assert len(errors) == 21
    assert errors[-1] == {"field": "", "code": "more", "detail": "70 more errors."}
    assert len(answer.content) < ANSWER_BYTES


@pytest.mark.django_db
@pytest.mark.parametrize("path", ANYBODYS)
@pytest.mark.parametrize("body", [names(80_000), b'{"%s": 1}' % (b"k" * 980_000)])
def test_a_megabyte_of_names_is_413(path: str, body: bytes) -> None:
    answer = send(Client(), path, body)

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert "8,192 bytes" in answer.json()["detail"]
    assert len(answer.content) < ANSWER_BYTES


@pytest.mark.django_db
@pytest.mark.parametrize("path", [*ANYBODYS, INITIATE])
@pytest.mark.parametrize("body", [names(90), names(80_000), b'{"%s": 1}' % (b"<" * 100)])
def test_the_html_of_a_bad_request_is_bounded_too(alice: User, path: str, body: bytes) -> None:
    client = Client(headers=BROWSER)
    client.force_login(alice)

    page = send(client, path, body)

    assert page.status_code in (400, 413)
    assert page["Content-Type"].startswith("text/html")
    assert len(page.content) < PAGE_BYTES


def test_a_name_in_a_response_is_truncated_without_control_characters(
    client_of_alice: APIClient,
) -> None:
    name = "a\x1b\u202e\n" + "b" * 96
    answer = send(client_of_alice, INITIATE, json.dumps({name: 1}).encode())
    assert answer.json()["errors"][0]["field"] == "a\ufffd\ufffd\ufffd" + "b" * 96

    answer = client_of_alice.get("/v1/download/jobs", {"status": "x\x1b" + "y" * 5_000})
    error = answer.json()["errors"][0]
    assert (error["field"], len(error["detail"])) == ("status", 200)
    assert "\x1b" not in error["detail"]
    assert error["detail"].endswith("\u2026")


def test_a_media_type_in_a_response_is_truncated(client_of_alice: APIClient) -> None:
    answer = client_of_alice.generic("POST", INITIATE, b"{}", "application/" + "x" * 900)

    assert answer.status_code == 415
    assert len(answer.json()["detail"]) == 500


LONG = "x" * 900
OF_IDS = {
    "all of one type": ["x"] * 1_000,
    "long": [LONG] * 1_000,
    "numbers": list(range(1_000)),
    "lists": [[]] * 1_000,
    "objects": [{}] * 1_000,
}


@pytest.mark.parametrize("field", ["job_ids", "after", "file_ids"])
@pytest.mark.parametrize("ids", OF_IDS.values(), ids=OF_IDS)
def test_the_first_invalid_ids_are_reported(
    client_of_alice: APIClient, field: str, ids: list[Any]
) -> None:
    answer = client_of_alice.post(INITIATE, {"file_ids": [70000], field: ids})

    assert answer.status_code == 400
    assert len(answer.json()["errors"]) == 20
    assert len(answer.content) < ANSWER_BYTES


@pytest.mark.parametrize("field", ["job_ids", "after"])
def test_the_items_of_a_too_long_list_are_not_validated(
    client_of_alice: APIClient, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(*_: object) -> None:
        raise AssertionError("looked into")

    monkeypatch.setattr("rest_framework.serializers.UUIDField.to_internal_value", look)

    answer = client_of_alice.post(INITIATE, {"file_ids": [70000], field: ["x"] * 200_000})

    assert answer.status_code == 400
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [(field, "max_length")]


def test_one_file_id_too_many_is_refused_unvalidated(client_of_alice: APIClient) -> None:
    answer = client_of_alice.post(INITIATE, {"file_ids": ["x"] * 100_001})

    errors = answer.json()["errors"]
    assert [(each["field"], each["code"]) for each in errors] == [("file_ids", "max_length")]
