"""Requests by the name of a kind, whose fields the service publishes."""

from __future__ import annotations

from typing import Any

import pytest

from downloads_client.download_request import parse_download_request
from downloads_client.failures import Unreachable, UsageError
from downloads_client.kinds.published_kind import KindRequest, PublishedKind
from downloads_client.login import Login
from downloads_client.retry import Retry
from downloads_client.service import Service
from tests.client.fake import Fake, json_response

SCHEMA = {
    "type": "object",
    "properties": {
        "year": {"type": "integer"},
        "rate": {"type": ["number", "null"]},
        "paid": {"type": "boolean"},
        "columns": {"type": "array", "items": {"$ref": "#/$defs/ColumnsEnum"}},
        "format": {"allOf": [{"$ref": "#/$defs/FormatEnum"}], "default": "csv"},
        "customer": {"type": "string"},
        "name": {"type": "string"},
        "priority": {"type": "integer"},
    },
    "required": ["year"],
    "$defs": {
        "FormatEnum": {"enum": ["csv", "xlsx"], "type": "string"},
        "ColumnsEnum": {"enum": ["id", "total"], "type": "string"},
    },
}
KIND = PublishedKind("order-export", "Orders as CSV", "v1/jobs/order-export", SCHEMA)
UPLOAD = PublishedKind("upload", "Upload", "upload")


def request(*fields: str, **values: Any) -> KindRequest:
    found = parse_download_request(["order-export"], values | {"fields": list(fields)})
    assert isinstance(found, KindRequest)
    return found


def test_fields_become_members_with_the_types_of_the_schema() -> None:
    fields = ["year=2025", "rate=1.5", "paid=yes", "columns=id", "columns=total", "format=xlsx"]

    created = request(*fields, "customer=a=b").resolve([UPLOAD, KIND])

    assert (created.path, created.summary) == ("v1/jobs/order-export", "Orders as CSV")
    assert created.body == {
        "year": 2025,
        "rate": 1.5,
        "paid": True,
        "columns": ["id", "total"],
        "format": "xlsx",
        "customer": "a=b",
    }


def test_the_options_of_all_kinds_work() -> None:
    created = request("year=2025", name="May", priority=7, email=True).resolve([KIND])

    assert created.body == {"year": 2025, "name": "May", "priority": 7, "email": True}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([], "order-export needs --field year=VALUE."),
        (["year=May"], "--field year needs a whole number."),
        (["year=1", "rate=x"], "--field rate needs a number."),
        (["year=1", "paid=perhaps"], "--field paid needs true or false."),
        (["year=1", "format=pdf"], "--field format needs one of csv, xlsx."),
        (["year=1", "columns=secret"], "--field columns needs one of id, total."),
        (["year=1", "year=2"], "--field year can be given once."),
        (["yaer=1"], "order-export has no field 'yaer'. It has: year, rate, paid"),
        (["x\x1b[2J=1"], "has no field 'x�\\[2J'"),
    ],
)
def test_a_wrong_field_is_refused_before_a_job_is_created(fields: list[str], reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        request(*fields).resolve([KIND])

    assert reason.replace("\\[", "[") in str(refused.value)


@pytest.mark.parametrize("text", ["year", "=2025", ""])
def test_a_field_has_a_name_and_a_value(text: str) -> None:
    with pytest.raises(UsageError, match="--field needs NAME=VALUE"):
        request(text)


def test_an_unknown_kind_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"no kind .order-export.\. There are: upload\."):
        request().resolve([UPLOAD])


def test_a_kind_without_json_is_refused() -> None:
    found = parse_download_request(["upload"])
    assert isinstance(found, KindRequest)

    with pytest.raises(UsageError, match="upload cannot be requested from the terminal"):
        found.resolve([UPLOAD])


@pytest.mark.parametrize("items", [["70000"], ["https://data.example/a.zip"], ["report"]])
def test_fields_are_for_the_name_of_a_kind(items: list[str]) -> None:
    with pytest.raises(UsageError, match="--field needs the name of a kind"):
        parse_download_request(items, {"fields": ["year=2025"]})


def service(fake: Fake) -> Service:
    fake.on("/v1/auth/token", json_response({"access": "token"}))
    return Service(Login(fake.url, "demo", "secret"), lambda: Retry(0, lambda *_: None))


def test_the_kinds_of_the_service_are_read(fake: Fake) -> None:
    described = {"kind": "order-export", "label": "Orders", "url": "/v1/jobs/order-export"}
    upload = {"kind": "upload", "label": "Upload", "url": "/upload", "requestSchema": None}
    fake.on(
        "/v1/kinds", json_response({"results": [described | {"requestSchema": SCHEMA}, upload]})
    )

    found, other = service(fake).kinds()

    assert found == PublishedKind("order-export", "Orders", "v1/jobs/order-export", SCHEMA)
    assert other == UPLOAD


@pytest.mark.parametrize("body", [{}, {"results": [1]}, {"results": [{"kind": 7}]}])
def test_another_server_is_not_believed(fake: Fake, body: Any) -> None:
    fake.on("/v1/kinds", json_response(body))

    with pytest.raises(Unreachable):
        service(fake).kinds()
