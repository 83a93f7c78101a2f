"""A JSON body may have only as many bytes, names and levels as its view needs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from rest_framework.exceptions import ParseError
from rest_framework.test import APIClient

from jobs.models import DownloadJob
from jobs.web import parsers

TOKEN, CHECK, INITIATE = "/v1/auth/token", "/v1/download/check", "/v1/download/initiate"
ANYBODYS = [TOKEN, f"{TOKEN}/refresh", f"{TOKEN}/revoke", CHECK]


def names(count: int) -> bytes:
    return json.dumps({f"k{n}": n for n in range(count)}).encode()


def send(client: Client, path: str, body: bytes) -> Any:
    return client.generic("POST", path, body, "application/json")


@pytest.mark.parametrize(
    ("path", "most"),
    [
        *[(path, 8 * 1024) for path in ANYBODYS],
        *[(path, 128 * 1024) for path in ("/downloads", "/reports", "/upload/chunked")],
        *[(path, 1_000_000) for path in (INITIATE, "/v1/download/start")],
    ],
)
def test_each_view_has_its_body_limit(client_of_alice: APIClient, path: str, most: int) -> None:
    longest = send(client_of_alice, path, b"[]".ljust(most))
    longer = send(client_of_alice, path, b"[]".ljust(most + 1))

    assert longest.status_code == 400
    assert (longer.status_code, longer.json()["code"]) == (413, "too_large")
    assert f"{most:,} bytes" in longer.json()["detail"]


def test_the_document_has_the_body_limits(client: Client) -> None:
    paths = client.get("/openapi?format=json").json()["paths"]

    def description_of(path: str) -> str:
        return str(paths[path]["post"]["responses"]["413"]["description"])

    assert "JSON has at most 8,192." in description_of(TOKEN)
    assert "JSON has at most 131,072." in description_of("/downloads")
    assert "JSON has at most 1,000,000." in description_of(INITIATE)
    assert "JSON" not in description_of("/upload")


HOSTILE = {
    "names": (names(101), "100 names"),
    "names of many objects": (json.dumps([{"a": 1}] * 101).encode(), "100 names"),
    "a long name": (b'{"%s": 1}' % (b"k" * 101), "name of more than 100"),
    "eleven lists": (b"[" * 12 + b"]" * 12, "nested"),
    "lists and objects": (b'[{"a":' * 6 + b"1" + b"}]" * 6, "nested"),
    "many lists": (b"[" + b"[]," * 10_001 + b"1]", "too many"),
    "many objects": (b"[" + b"{}," * 10_001 + b"1]", "too many"),
    "one name again and again": (b"{" + b'"":1,' * 10_001 + b'"":1}', "too many"),
    "open lists": (b"[" * 500_000, "too many"),
    "a few nested lists": (b"[" * 4_500 + b"]" * 4_500, "nested"),
}


@pytest.mark.parametrize(("body", "sentence"), HOSTILE.values(), ids=HOSTILE)
def test_a_body_with_too_many_members_or_levels_is_400(
    client_of_alice: APIClient, body: bytes, sentence: str
) -> None:
    answer = send(client_of_alice, INITIATE, body)

    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")
    assert sentence in answer.json()["detail"]


def test_the_largest_valid_body_is_read(client_of_alice: APIClient, broker: Any) -> None:
    deep = b"[" * 10 + b"]" * 10
    assert parsers.parse_json(deep) == json.loads(deep)
    assert parsers.parse_json(names(100)) == json.loads(names(100))
    assert parsers.parse_json(b'{"%s": 1}' % (b"k" * 100)) == {"k" * 100: 1}
    assert parsers.parse_json(rb'"\ud83d\ude00 \\ud83d"') == "\U0001f600 \\ud83d"

    url = "https://a.example/?" + ":{[" * 600
    answer = client_of_alice.post("/downloads", {"url": url, "webhook": url})
    assert answer.status_code == 202


@pytest.mark.parametrize("body", [rb'"\ud800"', rb'[["\udc00"]]', rb'{"a": {"\ud800": 1}}'])
def test_a_lone_surrogate_is_refused_anywhere(body: bytes) -> None:
    with pytest.raises(ParseError):
        parsers.parse_json(body)


def test_refused_bodies_create_no_job(client_of_alice: APIClient) -> None:
    for body, _ in HOSTILE.values():
        send(client_of_alice, INITIATE, body)

    assert not DownloadJob.objects.exists()
